"""Read and check the configuration of a run, from a YAML file and overrides on the command line."""
