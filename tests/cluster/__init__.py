"""A package, so that the Ray which these tests share ends with them."""
