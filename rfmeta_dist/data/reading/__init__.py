"""From shards to batches: order, fetching, the node's cache, decoding ahead, augmentation."""
