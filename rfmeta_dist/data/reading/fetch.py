"""Fetch whole shards from a store and check them against the manifest before they are parsed."""

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
    """Return the bytes of one shard, from the node's cache if it has a copy.

    Args:
        folder: the domain's folder.
        shard: the shard's entry in the manifest.
        cache: this node's cache; None to read from the store each time.
        meter: counts what is read.

    Raises:
        DataError: the shard is missing, or its size or SHA-256 differs from the manifest.
        StorageError: the store cannot be read, even after the store's own retries.
    """
    meter = meter or Meter()
    load = partial(_load, folder, shard, meter)
    return cache.get(shard, load, meter) if cache else load()


def _load(folder: Store, shard: Shard, meter: Meter) -> bytes:
    """Read the shard until it matches its hash.

    If two reads in a row give the same wrong bytes, the stored object is damaged and is not read again.
    """
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
        raise DataError(
            f"{where} is missing though the manifest lists it",
            "restore it from a backup, or ingest the domain again",
        ) from error
    if is_it(data):
        meter.add(shards_read=1)
        return data
    fault = "its SHA-256 does not match the manifest"
    if len(data) != shard.size:
        fault = f"it has {len(data)} bytes, but the manifest says {shard.size}"
    raise DataError(f"{where} is damaged: {fault}", "restore it from a backup, or ingest the domain again")


def ahead(
    function: Callable[[T], R], items: Iterable[T], *, pool: ThreadPoolExecutor, depth: int, meter: Meter
) -> Iterator[R]:
    """Apply a function to items in the threads of a pool, and yield the results in the order of the items.

    Args:
        function: the function to apply. If it raises an exception, the exception is raised when the result
            of that item would be yielded.
        items: taken only as results are consumed, so that at most `depth` results wait beyond the one in use.
        pool: the threads that run the function.
        depth: how many items are started before their results are asked for.
        meter: counts the time that the consumer waits for a result.
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
