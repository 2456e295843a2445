"""What a run is: one frozen, self-checking configuration, from YAML files and dotted overrides."""
