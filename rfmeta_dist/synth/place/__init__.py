"""Rooms, and light on a face before them."""
