"""From raw data sets to shards: faces, depth maps and labels, checked and packed."""
