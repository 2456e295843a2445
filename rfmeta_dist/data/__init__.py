"""From shards in a store to batches of arrays, in an order that is a pure function of the seed."""
