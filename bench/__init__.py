"""Benchmarks: each prints ratios measured side by side in one run, and the seconds they come from."""
