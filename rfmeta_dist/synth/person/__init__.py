"""What a person looks like and how they move, made up or from a portrait."""
