"""One recording of a live person or an attack, as the camera is handed it."""
