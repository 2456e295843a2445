"""The shape of heads: the measured mean head, a person's own, expressions, and the mesh of a portrait."""
