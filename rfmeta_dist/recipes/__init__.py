"""How detectors are fitted and loaded: a recipe learns from sources, which cannot name a target."""
