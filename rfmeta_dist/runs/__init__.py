"""A run's folder: what it is, what it has read, how it was started, and what a checkpoint must agree with."""
