"""Start the actors that read the source domains, and request a training's batches from them.

The actors are started once for all trainings of a command. Each domain is read by one process, or by one on
each of several nodes if many workers train at the same time. Within a training every batch is decoded once,
whatever the number of its workers; between trainings nothing is shared but the processes and the node's cache.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.reading import Reading, ReadingActor
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.sources import require_source
from rfmeta_dist.episode.plan import Need

# Workers on CPUs that one actor serves. Decoding releases Python's lock, so an actor decodes thousands of
# images a second, far more than such workers train on. With more actors, the same batches take more CPU time.
SERVED = 4

Actors = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Streams:
    """The batches of one training, and where to ask for them. Processes may pass it on.

    Attributes:
        actors: handle of the actor that reads it, by source domain.
        reading: what decides the batches, from `Reading.encoded`.
    """

    actors: Mapping[str, Any]
    reading: bytes


def start(configs: Sequence[Config], together: int = 1) -> Actors:
    """Start the actors that read the source domains of some runs.

    There is an actor for each worker on a GPU that trains at the same time, or for each `SERVED` workers on
    CPUs, and at least one for each node of workers; but a domain has at most one actor on a node. They are
    spread over the nodes that can hold a worker, to keep traffic between nodes small. If a node is lost, Ray
    starts its actors elsewhere. They end when the process that started them no longer refers to them, or ends.

    Args:
        configs: the runs, at least one.
        together: how many of them train at the same time.

    Returns:
        Handles of the actors that can read a domain, by domain. `opened` chooses one for each training.
    """
    domains = list(dict.fromkeys(name for config in configs for name in config.data.sources))
    gpus = any(config.training.gpus for config in configs)
    workers = together * max(config.training.workers for config in configs)
    nodes = _nodes_for_workers("GPU" if gpus else "CPU")
    wanted = max(min(len(nodes), workers), math.ceil(workers / (1 if gpus else SERVED)))
    # Commands that run at the same time begin at different nodes.
    first = zlib.crc32(configs[0].run.name.encode())
    count, copies = min(len(domains), wanted), max(1, min(len(nodes), wanted // len(domains)))
    found: dict[str, list[Any]] = {name: [] for name in domains}
    for copy in range(copies):
        for k in range(count):
            where: Any = "DEFAULT"
            if nodes:
                node = nodes[(first + k + copy * len(nodes) // copies) % len(nodes)]
                where = NodeAffinitySchedulingStrategy(node, soft=True)
            actor = ReadingActor.options(scheduling_strategy=where).remote()
            for name in domains[k::count]:
                found[name].append(actor)
    return found


def opened(actors: Actors, config: Config, fingerprints: Mapping[str, str], study: str = "") -> Streams:
    """Return the streams of one training. The first request for a batch opens them; `close` closes them.

    Trainings with other sources, seeds, batches or augmentation may use the same actors at the same time.

    Args:
        actors: from `start`; they must include the run's sources.
        config: the run's.
        fingerprints: fingerprint of the manifest to read, by domain.
        study: name of the study under which the training is counted; "" for a run.
    """
    number = zlib.crc32(config.run.name.encode())
    chosen = {name: actors[name][number % len(actors[name])] for name in config.data.sources}
    return Streams(chosen, Reading.of(config, fingerprints, study).encoded())


def totals(streams: Streams) -> dict[str, StreamTotals]:
    """Return what was read and waited for, by domain. An actor that does not answer is left out."""
    return _answers(
        {name: actor.totals.remote(streams.reading, name) for name, actor in streams.actors.items()}
    )


def close(streams: Streams) -> dict[str, StreamTotals]:
    """Close the streams of a training that has ended or pauses, and return their totals by domain.

    If the training goes on later, its streams are opened again, and their totals begin at zero. An actor that
    does not answer is left out.
    """
    return _answers({name: actor.close.remote(streams.reading, name) for name, actor in streams.actors.items()})


def _answers(asked: Mapping[str, Any]) -> dict[str, StreamTotals]:
    found = {}
    for name, reference in asked.items():
        with suppress(ray.exceptions.RayError, RfmetaError):
            found[name] = got(reference)
    return found


def _nodes_for_workers(resource: str) -> list[str]:
    """Return the ids of the nodes that have at least one of the resource that a worker takes."""
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(resource, 0) >= 1]
    return sorted(node["NodeID"] for node in alive)


class RayBatches:
    """The `BatchSource` of a worker, which requests batches from the actors.

    Args:
        streams: the training's, from `opened`.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._coming: dict[Need, tuple[list[Need], Any]] = {}
        self._arrived: dict[Need, RawBatch] = {}

    def prefetch(self, needs: Iterable[Need]) -> None:
        """Request rows of batches without waiting for them.

        All that an actor is to read is requested in one call: a call takes each of the two processes about a
        millisecond of CPU time, as long as decoding eight small crops.

        Raises:
            SealedError: a domain is no source of the training.
        """
        by_actor: dict[Any, list[Need]] = {}
        for need in needs:
            require_source(need.domain, self._streams.actors)
            by_actor.setdefault(self._streams.actors[need.domain], []).append(need)
        for actor, mine in by_actor.items():
            self._coming |= dict.fromkeys(mine, (mine, actor.batches.remote(self._streams.reading, mine)))

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
