"""Define the learning rules, one in each file. No rule imports another."""
