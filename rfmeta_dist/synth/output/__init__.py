"""Turn a domain into files: samples for shards, video clips with annotations, and contact sheets."""
