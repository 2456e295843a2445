"""Turn raw data sets into shards: find recordings, cut out faces, compute depth maps, check and pack them."""
