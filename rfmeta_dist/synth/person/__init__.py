"""Paint what a person looks like and model how they move, made up or from a portrait."""
