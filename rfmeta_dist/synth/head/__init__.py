"""Model the shape of heads: the measured mean head, a person's own head, expressions, and a portrait's mesh."""
