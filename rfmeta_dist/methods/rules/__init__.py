"""The learning rules, one a file; none imports another."""
