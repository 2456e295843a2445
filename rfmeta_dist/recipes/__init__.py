"""How detectors are fitted and loaded. A recipe is given only the source domains."""
