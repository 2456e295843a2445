"""What the scores of a model are worth, with the threshold taken from the sources."""
