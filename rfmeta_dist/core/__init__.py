"""Plain types, errors and seeded randomness, which every layer uses. This folder imports no other layer."""
