"""What tells live faces from attacks in a set of shards though it should not."""
