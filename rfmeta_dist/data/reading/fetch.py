"""Whole shards from a store, checked against the manifest before anything parses them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import TypeVar

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.meter import Meter
from rfmeta_dist.data.shards.manifest import Shard
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.s3 import retries_counted
from rfmeta_dist.storage.store import Store

T = TypeVar("T")
R = TypeVar("R")


def fetch(folder: Store, shard: Shard, cache: Cache | None = None, meter: Meter | None = None) -> bytes:
    """Read one shard of a domain's folder, from the node's cache if it is there.

    Args:
        folder: of the domain.
        shard: as the manifest describes it.
        cache: of this node, if there is to be one.
        meter: counts what is read.

    Raises:
        DataError: the shard is missing, or is not the one the manifest describes.
        StorageError: the store cannot be read; it has been tried again for as long as that may help.
    """
    meter = meter or Meter()
    load = partial(_load, folder, shard, meter)
    return cache.get(shard, load, meter) if cache else load()


def _load(folder: Store, shard: Shard, meter: Meter) -> bytes:
    """Read the shard until it matches its hash; two equal answers that do not are damage at rest."""
    where = f"shard {folder.url}/{shard.name}"
    attempts = count()

    def read() -> bytes:
        meter.add(retries=int(next(attempts) > 0))
        with retries_counted(lambda: meter.add(retries=1)):
            data = folder.read(shard.name)
        meter.add(bytes_read=len(data))
        return data

    def is_it(data: bytes) -> bool:
        return len(data) == shard.size and hashlib.sha256(data).hexdigest() == shard.sha256

    try:
        data = read_sound(read, is_it)
    except MissingError as error:
        raise DataError(f"{where} is missing", "restore it or ingest the domain again") from error
    if is_it(data):
        meter.add(shards_read=1)
        return data
    fault = "its SHA-256 does not match the manifest"
    if len(data) != shard.size:
        fault = f"it has {len(data)} bytes, but the manifest says {shard.size}"
    raise DataError(f"{where} is damaged: {fault}", "restore it or ingest the domain again")


def ahead(
    function: Callable[[T], R], items: Iterable[T], *, pool: ThreadPoolExecutor, depth: int, meter: Meter
) -> Iterator[R]:
    """Apply a function to items in a pool's threads, and deliver the results in order.

    Args:
        function: what to apply; what it raises comes in place of the item's result.
        items: taken only as results are consumed, so that no more than `depth` wait beyond the one in use.
        pool: where the function runs.
        depth: how many items to begin before their turn.
        meter: counts the time the consumer waits for a result.
    """
    coming: deque[Future[R]] = deque()

    def arrived() -> R:
        future = coming.popleft()
        if future.done():
            return future.result()
        with meter.stall():
            return future.result()

    try:
        for item in items:
            coming.append(pool.submit(function, item))
            if len(coming) > depth:
                yield arrived()
        while coming:
            yield arrived()
    finally:
        for future in coming:
            future.cancel()
