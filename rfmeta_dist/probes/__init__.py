"""Test shards for leaks: cues that tell live faces from attacks although they have no relation to liveness."""
