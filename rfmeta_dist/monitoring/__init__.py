"""Show Prometheus what stands in a store of runs, studies and retrainings, without Ray and torch."""
