"""Generated domains: their description, how much of each to make, and who appears in it."""
