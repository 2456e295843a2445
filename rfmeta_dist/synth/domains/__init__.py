"""Describe generated domains: their cards, how much of each to make, and who appears in them."""
