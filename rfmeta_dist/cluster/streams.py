"""Read and decode the source domains' shards in actors: each byte once, whatever the number of workers.

Each domain has one reader, and an actor holds the readers of one or several domains. A batch is a pure function
of (seed, domain, step), so an actor has no state to save: if it dies, Ray restarts it, and it continues at the
step that is asked for. An actor's process loads neither torch nor the learning rules.
"""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.meters import StreamMeter
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.episode.schedule import most_batches
from rfmeta_dist.storage.store import open_store

KEEP = 16  # steps that a batch is kept; workers run in lockstep, but prefetch different numbers of steps
METER_S = 1.0  # seconds between updates of the counters; Prometheus asks every few seconds
# Workers on CPUs that one actor serves. Decoding releases Python's lock, so an actor decodes thousands of
# images a second, far more than such workers train on. With more actors, the same batches take more CPU time.
SERVED = 4

T = TypeVar("T")


class DomainReader:
    """Serves the training batches of one domain."""

    def __init__(self, config: Config, domain: str, fingerprint: str) -> None:
        self._given = config, domain, fingerprint
        # A domain that is not in every episode uses fewer batches in the same number of steps.
        episodes, domains = KEEP * config.training.episodes, len(config.data.sources)
        self._keep = min(episodes, most_batches(episodes, domains, config.episode_domains) + 1)
        self._meter = StreamMeter(config.run.name, domain)
        self._metered = time.monotonic()
        self._next = 0
        self._batches: Iterator[RawBatch] = iter(())
        self._kept: dict[int, RawBatch] = {}

    @cached_property
    def _stream(self) -> DomainStream:
        # Open the stream at the first request. Ray returns the error of a request as an object, but the error
        # of a constructor only as the text of a traceback.
        config, domain, fingerprint = self._given
        store = open_store(config.data.prefix)
        manifest = Manifest.open(store, domain, fingerprint)
        return DomainStream.of_run(store, manifest, config.data, config.training.seed)

    def totals(self) -> StreamTotals:
        """Return how much this reader has read, and how long workers waited for it, since its last start."""
        found = self._stream.totals
        self._meter.read(found)
        return found

    def batch(self, index: int, start: int, stop: int) -> RawBatch:
        """Return rows of batch `index`. A batch is decoded once and kept for the other workers."""
        if index not in self._kept:
            if not self._next <= index < self._next + self._keep or not self._kept:
                self._batches, self._next, self._kept = self._stream.batches(index), index, {}
            while self._next <= index:
                self._kept[self._next] = next(self._batches)
                self._next += 1
            self._kept = {i: b for i, b in self._kept.items() if i > self._next - self._keep}
            if time.monotonic() - self._metered > METER_S:
                self._metered = time.monotonic()
                self.totals()
        return self._kept[index].rows(range(start, stop))


class DomainReaders:
    """Serves the training batches of several domains.

    Each domain has its own thread, so that a domain that waits for its store does not delay the others.
    """

    def __init__(self, config: Config, fingerprints: Mapping[str, str]) -> None:
        self._readers = {name: DomainReader(config, name, hash_) for name, hash_ in fingerprints.items()}
        self._threads = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"read-{name}") for name in fingerprints
        }

    async def batches(self, needs: Sequence[Need]) -> list[RawBatch]:
        """Return the rows that are needed of some batches of this actor's domains, in the order of `needs`."""
        return list(await asyncio.gather(*map(self._batch, needs)))

    async def _batch(self, need: Need) -> RawBatch:
        rows = need.rows
        return await self._in_turn(need.domain, lambda reader: reader.batch(need.index, rows.start, rows.stop))

    async def totals(self, domain: str) -> StreamTotals:
        """Return how much the domain's reader has read, and how long workers waited for it, since its start."""
        return await self._in_turn(domain, lambda reader: reader.totals())

    async def _in_turn(self, domain: str, work: Callable[[DomainReader], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads[domain], work, self._readers[domain])


def totals(actors: Mapping[str, Any]) -> dict[str, StreamTotals]:
    """Return what the actors have read and waited for, by domain. An actor that does not answer is left out."""
    found = {}
    for name, actor in actors.items():
        with suppress(ray.exceptions.RayError, RfmetaError):
            found[name] = got(actor.totals.remote(name))
    return found


# An actor takes no slot, and is restarted whenever a batch is requested. It asks for one byte of memory because
# Ray ignores the soft affinity of an actor that asks for nothing, and starts it on a random node.
ReadingActor = ray.remote(num_cpus=0, memory=1, max_restarts=-1, max_task_retries=-1)(DomainReaders)


def start(config: Config, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Start the actors that read the source domains, and return their handles by domain.

    There is an actor for each worker on a GPU, or for each `SERVED` workers on CPUs and at least for each node
    of workers; but no more than there are domains. They are spread over the nodes that can hold a worker, to
    keep traffic between nodes small. If a node is lost, Ray starts its actors elsewhere.

    Args:
        config: the run's.
        fingerprints: fingerprint of the manifest to read, by domain.
    """
    sources, training = config.data.sources, config.training
    nodes = _nodes_for_workers("GPU" if training.gpus else "CPU")
    served = 1 if training.gpus else SERVED
    busy = max(min(len(nodes), training.workers), math.ceil(training.workers / served))
    count = min(len(sources), busy)
    first = zlib.crc32(config.run.name.encode())  # runs that train at the same time begin at different nodes
    actors: dict[str, Any] = {}
    for k in range(count):
        where: Any = "DEFAULT"
        if nodes:
            where = NodeAffinitySchedulingStrategy(nodes[(first + k) % len(nodes)], soft=True)
        mine = {name: fingerprints[name] for name in sources[k::count]}
        actor = ReadingActor.options(scheduling_strategy=where).remote(config, mine)
        actors |= dict.fromkeys(mine, actor)
    return actors


def _nodes_for_workers(resource: str) -> list[str]:
    """Return the ids of the nodes that have at least one of the resource that a worker takes."""
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(resource, 0) >= 1]
    return sorted(node["NodeID"] for node in alive)


class RayBatches:
    """The `BatchSource` of a worker, which requests batches from the actors.

    Args:
        actors: handles by domain, from `start`.
    """

    def __init__(self, actors: Mapping[str, Any]) -> None:
        self._actors = actors
        self._coming: dict[Need, tuple[list[Need], Any]] = {}
        self._arrived: dict[Need, RawBatch] = {}

    def prefetch(self, needs: Iterable[Need]) -> None:
        """Request rows of batches without waiting for them.

        All that an actor is to read is requested in one call: a call takes each of the two processes about a
        millisecond of CPU time, as long as decoding eight small crops.
        """
        by_actor: dict[Any, list[Need]] = {}
        for need in needs:
            by_actor.setdefault(self._actors[need.domain], []).append(need)
        for actor, mine in by_actor.items():
            self._coming |= dict.fromkeys(mine, (mine, actor.batches.remote(mine)))

    def batch(self, need: Need) -> RawBatch:
        """Return rows of a batch of a domain; request them first if they were not prefetched.

        Raises:
            DataError, StorageError: the actor raised this error while it read the batch.
        """
        if need not in self._arrived:
            if need not in self._coming:
                self.prefetch([need])
            together, reference = self._coming[need]
            for one in together:
                self._coming.pop(one, None)
            self._arrived |= zip(together, got(reference), strict=True)
        return self._arrived.pop(need)
