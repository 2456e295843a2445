"""The three networks of the paper, F (extractor), M (meta learner) and D (depth estimator), and their input."""
