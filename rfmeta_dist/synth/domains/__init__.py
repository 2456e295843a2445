"""What a generated domain is, how much of it to make, and who appears in it."""
