"""Read shards and make batches: sample order, fetching, the node's cache, decoding in advance, augmentation."""
