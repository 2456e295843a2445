"""Film one recording: set up the occasion, make the attacker's source, and compute what reaches the lens."""
