"""Paint rooms, and compute the light on a face in front of them."""
