"""Export a trained model to a deployment package: one ONNX file, thresholds, and a model card."""
