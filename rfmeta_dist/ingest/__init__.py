"""Read raw data sets and make samples for shards: face crops, depth maps and labels."""
