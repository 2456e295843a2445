"""Verify, compare, preview, count and clean stored domains, and erase a person from them."""
