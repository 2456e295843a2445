"""Provide batches for training in a process that reads the shards itself, without reader actors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.sources import require_source
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Data
    from rfmeta_dist.episode.plan import Need


class LocalBatches:
    """The `BatchSource` (training/loop.py) of a process that reads the shards itself.

    Args:
        store: the store that holds the domains.
        manifests: the manifests of the domains, by name.
        data: the run's `data` section: size of batches and images, augmentation, cache.
        seed: the run's seed.
    """

    def __init__(self, store: Store, manifests: Mapping[str, Manifest], data: Data, seed: int) -> None:
        self._store, self._manifests, self._data, self._seed = store, manifests, data, seed
        self._open: dict[str, tuple[int, Iterator[RawBatch]]] = {}

    def batch(self, need: Need) -> RawBatch:
        """Return rows of a batch of a domain. If batches are requested in order, each shard is read once.

        Raises:
            DataError: a shard or sample is missing or damaged, or the domain has one class only.
            StorageError: the store cannot be read.
            SealedError: the domain is no source of the training.
        """
        require_source(need.domain, self._manifests)
        coming, batches = self._open.get(need.domain, (-1, iter(())))
        if coming != need.index:
            batches = self._stream(need.domain).batches(need.index)
        self._open[need.domain] = need.index + 1, batches
        return next(batches).rows(need.rows)

    def prefetch(self, needs: Iterable[Need]) -> None:
        """Do nothing, because the stream decodes in advance by itself."""

    def _stream(self, domain: str) -> DomainStream:
        return DomainStream.of_run(self._store, self._manifests[domain], self._data, self._seed)
