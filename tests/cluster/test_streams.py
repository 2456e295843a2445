"""Batches through domain actors: the same whoever asks, in whatever order, and after a crash."""
