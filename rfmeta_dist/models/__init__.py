"""Define the paper's networks F (extractor), M (meta learner) and D (depth estimator), and their input."""
