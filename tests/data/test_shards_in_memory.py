"""Streams of one process that need a shard at the same time read it once, and free it together."""

from __future__ import annotations

import gc
from itertools import islice
from pathlib import Path

from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import Store, open_store
from tests.data.test_streams import same
from tests.samples import SIZE, make_samples


def stream(store: Store, manifest: Manifest, seed: int) -> DomainStream:
    return DomainStream(store, manifest, split="train", batch=4, image_size=SIZE, seed=seed)


def test_a_second_stream_reads_nothing_while_the_first_has_the_shards(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = pack(make_samples("A", {"train": (30, 30)}), store, "A", contract={}, shard_bytes=60_000)
    shards = {label: manifest.stream("train", label) for label in (0, 1)}
    assert all(1 < len(found) <= 4 for found in shards.values())  # one window holds a whole class
    size = sum(shard.size for found in shards.values() for shard in found)

    alone = stream(store, manifest, seed=1)
    expected = list(islice(alone.batches(), 20))
    del alone
    gc.collect()
    first, second = stream(store, manifest, seed=0), stream(store, manifest, seed=1)
    held = first.batches()
    next(held)
    found = list(islice(second.batches(), 20))
    assert all(map(same, found, expected))
    assert first.totals.bytes_read == size  # also though shards of the next epoch are fetched in advance
    assert (second.totals.bytes_read, second.totals.shards_read) == (0, 0)
    assert second.totals.cache_hits >= sum(map(len, shards.values()))

    held.close()
    gc.collect()
    third = stream(store, manifest, seed=0)
    next(third.batches())
    assert third.totals.bytes_read == size
