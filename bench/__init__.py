"""Benchmarks: each measures its contestants side by side in one run, and prints ratios and the seconds."""
