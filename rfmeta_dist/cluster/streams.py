"""One actor a source domain reads and decodes its shards: each byte once, whatever the number of workers.

An actor holds no state worth saving: a batch is a pure function of (seed, domain, step), so one that died is
started again by Ray and goes on at the step it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import ray

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.meters import StreamMeter
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.cache import Cache
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.data.stream import DomainStream
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.storage.store import open_store

KEEP = 16  # steps by which workers' requests may lie apart; they run in lockstep but for what they prefetch
METER_S = 1.0  # Prometheus asks every few seconds


class DomainReader:
    """Serves the training batches of one domain."""

    def __init__(self, config: Config, domain: str, fingerprint: str) -> None:
        self._given = config, domain, fingerprint
        self._keep = KEEP * config.training.episodes
        self._meter = StreamMeter(config.run.name, domain)
        self._metered = time.monotonic()
        self._next = 0
        self._batches: Iterator[RawBatch] = iter(())
        self._kept: dict[int, RawBatch] = {}

    @cached_property
    def _stream(self) -> DomainStream:
        # Opened by the first request, whose answer can carry our error; a constructor's would reach the
        # worker as the text of a traceback.
        config, domain, fingerprint = self._given
        store = open_store(config.data.prefix)
        manifest = Manifest.open(store, domain, fingerprint)
        return DomainStream(
            store,
            manifest,
            split="train",
            batch=config.data.batch,
            image_size=config.data.image_size,
            seed=config.training.seed,
            augmentation=config.data.augmentation,
            cache=Cache.of_node(config.data.prefix, config.data.cache_gb),
        )

    def metrics(self) -> StreamTotals:
        """What this reader has read and waited for since it was last started."""
        found = self._stream.metrics
        self._meter.read(found)
        return found

    def batch(self, index: int, start: int, stop: int) -> RawBatch:
        """Rows of batch `index`; the second worker that asks for it is served from the one already decoded."""
        if index not in self._kept:
            if not self._next <= index < self._next + self._keep or not self._kept:
                self._batches, self._next, self._kept = self._stream.batches(index), index, {}
            while self._next <= index:
                self._kept[self._next] = next(self._batches)
                self._next += 1
            self._kept = {i: b for i, b in self._kept.items() if i > self._next - self._keep}
            if time.monotonic() - self._metered > METER_S:
                self._metered = time.monotonic()
                self.metrics()
        return self._kept[index].rows(range(start, stop))


def totals(actors: Mapping[str, Any]) -> dict[str, StreamTotals]:
    """What the actors have read and waited for, by domain; of one that does not answer, nothing."""
    found = {}
    for name, actor in actors.items():
        with suppress(ray.exceptions.RayError, RfmetaError):
            found[name] = got(actor.metrics.remote())
    return found


# It takes no slot, and is started again for as long as anybody asks for batches.
DomainActor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(DomainReader)


def start(config: Config, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Start an actor for each source domain; handles by domain."""
    return {name: DomainActor.remote(config, name, fingerprints[name]) for name in config.data.sources}


class RayBatches:
    """The `BatchSource` of a worker: asks the domain actors, ahead of time where told to.

    Args:
        actors: handles by domain.
    """

    def __init__(self, actors: Mapping[str, Any]) -> None:
        self._actors = actors
        self._coming: dict[Need, Any] = {}

    def prefetch(self, need: Need) -> None:
        """Ask for rows without waiting for them."""
        rows = need.rows
        self._coming[need] = self._actors[need.domain].batch.remote(need.index, rows.start, rows.stop)

    def batch(self, need: Need) -> RawBatch:
        """Rows of a batch of a domain.

        Raises:
            DataError, StorageError: what the actor met, as it met it.
        """
        if need not in self._coming:
            self.prefetch(need)
        raw: RawBatch = got(self._coming.pop(need))
        return raw
