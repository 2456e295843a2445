"""Choose hyperparameters for a target domain without looking at it. Nothing here needs Ray or torch."""
