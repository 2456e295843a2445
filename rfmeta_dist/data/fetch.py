"""Whole shards from a store, checked against the manifest before anything parses them."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.manifest import Shard
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

_AHEAD = 2  # shards on their way while one is used


def fetch(folder: Store, shard: Shard) -> bytes:
    """Read one shard of a domain's folder.

    A damaged transfer passes, so a mismatch is read once more; what stays is damage at rest.

    Raises:
        DataError: the shard is missing, or is not the one the manifest describes.
        StorageError: the store cannot be read.
    """
    where = f"shard {folder.url}/{shard.name}"
    for _ in range(2):
        try:
            data = folder.read(shard.name)
        except MissingError as error:
            raise DataError(f"{where} is missing", "restore it or ingest the domain again") from error
        if len(data) == shard.size and hashlib.sha256(data).hexdigest() == shard.sha256:
            return data
    fault = "its SHA-256" if len(data) == shard.size else f"{len(data)} bytes, not {shard.size}:"
    raise DataError(
        f"{where} is damaged: {fault} does not match the manifest",
        "restore it or ingest the domain again",
    )


def read_ahead(folder: Store, shards: Iterable[Shard]) -> Iterator[tuple[Shard, bytes]]:
    """Fetch shards in order, the next ones in a thread while the caller uses the last.

    Raises:
        DataError, StorageError: as `fetch`, in place of the shard concerned.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="fetch")
    coming: deque[tuple[Shard, Future[bytes]]] = deque()
    try:
        for shard in shards:
            coming.append((shard, pool.submit(fetch, folder, shard)))
            if len(coming) > _AHEAD:
                yield _arrived(coming)
        while coming:
            yield _arrived(coming)
    finally:
        # Also when the caller stops early: leave nothing reading behind its back.
        pool.shutdown(wait=False, cancel_futures=True)


def _arrived(coming: deque[tuple[Shard, Future[bytes]]]) -> tuple[Shard, bytes]:
    shard, future = coming.popleft()
    return shard, future.result()
