"""The training loop, its state, and the checkpoint that makes it resumable."""
