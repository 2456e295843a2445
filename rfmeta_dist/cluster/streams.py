"""Actors read and decode the source domains' shards: each byte once, whatever the number of workers.

Each domain has one reader; an actor holds the readers of one domain or several. It has no state worth saving: a
batch is a pure function of (seed, domain, step), so an actor that died is started again by Ray and goes on at
the step it is asked for. Its process loads neither torch nor the learning rules.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
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

KEEP = 16  # steps by which workers' requests may lie apart; they run in lockstep but for what they prefetch
METER_S = 1.0  # Prometheus asks every few seconds
ACTORS = 2  # at most, for each worker: decoding leaves Python's lock, so a process serves many domains

T = TypeVar("T")


class DomainReader:
    """Serves the training batches of one domain."""

    def __init__(self, config: Config, domain: str, fingerprint: str) -> None:
        self._given = config, domain, fingerprint
        # A domain that is in some episodes only goes on by fewer batches in the same number of steps.
        episodes, domains = KEEP * config.training.episodes, len(config.data.sources)
        self._keep = min(episodes, most_batches(episodes, domains, config.episode_domains) + 1)
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
        return DomainStream.of_run(store, manifest, config.data, config.training.seed)

    def totals(self) -> StreamTotals:
        """What this reader has read and waited for since it was last started."""
        found = self._stream.totals
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
                self.totals()
        return self._kept[index].rows(range(start, stop))


class DomainReaders:
    """Serves the training batches of some domains.

    Each domain has a thread of its own, so that one that waits for its store holds up no other.
    """

    def __init__(self, config: Config, fingerprints: Mapping[str, str]) -> None:
        self._readers = {name: DomainReader(config, name, hash_) for name, hash_ in fingerprints.items()}
        self._threads = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"read-{name}") for name in fingerprints
        }

    async def batch(self, domain: str, index: int, start: int, stop: int) -> RawBatch:
        """Rows of batch `index` of a domain."""
        return await self._in_turn(domain, lambda reader: reader.batch(index, start, stop))

    async def totals(self, domain: str) -> StreamTotals:
        """What the domain's reader has read and waited for since it was last started."""
        return await self._in_turn(domain, lambda reader: reader.totals())

    async def _in_turn(self, domain: str, work: Callable[[DomainReader], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads[domain], work, self._readers[domain])


def totals(actors: Mapping[str, Any]) -> dict[str, StreamTotals]:
    """What the actors have read and waited for, by domain; of one that does not answer, nothing."""
    found = {}
    for name, actor in actors.items():
        with suppress(ray.exceptions.RayError, RfmetaError):
            found[name] = got(actor.totals.remote(name))
    return found


# They take no slot, and are started again for as long as anybody asks for batches. They ask for one byte of
# memory because Ray starts an actor that asks for nothing on a random node, whatever soft affinity it is given.
ReadingActor = ray.remote(num_cpus=0, memory=1, max_restarts=-1, max_task_retries=-1)(DomainReaders)


def start(config: Config, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Start the actors that read the source domains; their handles by domain.

    There are `ACTORS` for each worker, or fewer if there are fewer domains. They are spread over the nodes that
    can hold a worker, so that batches cross the network no more than they must; if its node is lost, Ray starts
    an actor elsewhere.
    """
    sources, training = config.data.sources, config.training
    count = min(len(sources), ACTORS * training.workers)
    nodes = _nodes_for_workers("GPU" if training.gpus else "CPU")
    first = zlib.crc32(config.run.name.encode())  # runs side by side begin at different nodes
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
    """Ids of the nodes that have one of what a worker takes; a head without slots is none of them."""
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(resource, 0) >= 1]
    return sorted(node["NodeID"] for node in alive)


class RayBatches:
    """The `BatchSource` of a worker: asks the domain actors, ahead of time where told to.

    Args:
        actors: handles by domain, as `start` gives them.
    """

    def __init__(self, actors: Mapping[str, Any]) -> None:
        self._actors = actors
        self._coming: dict[Need, Any] = {}

    def prefetch(self, need: Need) -> None:
        """Ask for rows without waiting for them."""
        rows = need.rows
        self._coming[need] = self._actors[need.domain].batch.remote(
            need.domain, need.index, rows.start, rows.stop
        )

    def batch(self, need: Need) -> RawBatch:
        """Rows of a batch of a domain.

        Raises:
            DataError, StorageError: what the actor met, as it met it.
        """
        if need not in self._coming:
            self.prefetch(need)
        raw: RawBatch = got(self._coming.pop(need))
        return raw
