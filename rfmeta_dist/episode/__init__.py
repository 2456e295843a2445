"""Which domains meet in a step, and which worker computes which part: pure functions of (seed, step)."""
