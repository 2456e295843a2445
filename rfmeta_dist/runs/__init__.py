"""A run's folder: its configuration, ledger, pinned data, starts, and the fingerprint of its checkpoints."""
