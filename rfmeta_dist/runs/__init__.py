"""Read and write a run's folder: its configuration, ledger, pinned data, starts and fingerprint."""
