"""Test shards for cues that tell live faces from attacks and should not."""
