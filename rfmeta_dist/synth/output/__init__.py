"""From a domain to files: samples, video clips with annotations, contact sheets."""
