"""One recording of a live person or an attack, as the camera sees it."""
