"""Show a run's figures in MLflow and TensorBoard too. The run's folder stays the truth."""
