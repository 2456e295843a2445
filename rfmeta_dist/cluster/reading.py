"""Read and decode the source domains' shards in actors, for any number of trainings.

A stream is the batches of one domain for one training. A batch is a pure function of what a `Reading` says and
of the batch's number, and every request carries its `Reading`. So an actor opens a stream at the first request,
and has no state to save: if it dies, Ray restarts it, and the next request opens the stream again. An actor's
process loads neither torch nor the learning rules.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import ray

from rfmeta_dist.cluster.meters import StreamMeter
from rfmeta_dist.config.schema import Config, Data
from rfmeta_dist.core.allocator import share_arenas
from rfmeta_dist.core.shared import Shared
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.parts import open_source
from rfmeta_dist.data.reading.sources import require_source
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.episode.schedule import most_batches
from rfmeta_dist.storage.store import open_store

KEEP = 16  # steps that a batch is kept; workers run in lockstep, but prefetch different numbers of steps
METER_S = 1.0  # seconds between updates of the counters; Prometheus asks every few seconds
# Seconds without a request after which a stream's threads and memory are freed, because its training was
# killed or waits for something else. If a training asks again later, some shards are read once more.
IDLE_S = 600.0

T = TypeVar("T")

_MANIFESTS: Shared[Manifest] = Shared()  # a large domain's tables take hundreds of megabytes


@dataclass(frozen=True)
class Reading:
    """All that decides which batches a training is given, and under which name they are counted.

    Attributes:
        run: the run's name.
        folder: the place of the run's folder. Runs in two folders may have the same name.
        data: the run's `data` section, as JSON represents it.
        manifests: fingerprint of the manifest to read, by domain.
        seed: the seed of the training.
        keep: batches of a domain that are kept for the workers that ask for them later than the first one.
        study: name of the study under which the training is counted; "" for a run.
    """

    run: str
    folder: str
    data: dict[str, Any]
    manifests: dict[str, str]
    seed: int
    keep: int
    study: str = ""

    @classmethod
    def of(cls, config: Config, fingerprints: Mapping[str, str], study: str = "") -> Reading:
        """Return what a run reads.

        Args:
            config: the run's.
            fingerprints: fingerprint of the manifest to read, by domain.
            study: name of the study under which the training is counted; "" for a run.
        """
        sources = config.data.sources
        # A domain that is not in every episode uses fewer batches in the same number of steps.
        episodes = KEEP * config.training.episodes
        keep = min(episodes, most_batches(episodes, len(sources), config.episode_domains) + 1)
        manifests = {name: fingerprints[name] for name in sources}
        data = config.data.model_dump(mode="json")
        return cls(config.run.name, config.run.folder, data, manifests, config.training.seed, keep, study)

    def encoded(self) -> bytes:
        """Return all fields as JSON. Equal readings give equal bytes."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Reading:
        """Return the reading that `encoded` returned as JSON."""
        return cls(**json.loads(text))


class DomainReader:
    """Serves one stream: the training batches of one domain for one training."""

    def __init__(self, reading: Reading, domain: str) -> None:
        self._reading, self._domain = reading, domain
        self._meter = StreamMeter("" if reading.study else reading.run, reading.study, domain)
        self._metered = time.monotonic()
        self._next = 0
        self._batches: Iterator[RawBatch] = iter(())
        self._kept: dict[int, RawBatch] = {}

    @cached_property
    def _stream(self) -> DomainStream:
        # Open the stream at the first request. Ray returns the error of a request as an object, but the error
        # of a constructor only as the text of a traceback.
        data = Data.model_validate(self._reading.data)
        store = open_store(data.prefix)
        require_source(self._domain, self._reading.manifests)
        name, state = self._domain, self._reading.manifests[self._domain]
        key = data.prefix, name, state, data.within
        manifest = _MANIFESTS.get(key, lambda: open_source(store, data, name, state))
        return DomainStream.of_run(store, manifest, data, self._reading.seed)

    def totals(self) -> StreamTotals:
        """Return how much this reader has read, and how long workers waited for it."""
        if "_stream" not in vars(self):
            return StreamTotals()  # no batch was requested, or the stream could not be opened
        found = self._stream.totals
        self._meter.read(found)
        return found

    def batch(self, index: int, start: int, stop: int) -> RawBatch:
        """Return rows of batch `index`. A batch is decoded once and kept for the other workers.

        Raises:
            DataError: a shard or sample that the batch needs is missing or damaged.
            StorageError: the store cannot be read.
        """
        if index not in self._kept:
            keep = self._reading.keep
            if not self._next <= index < self._next + keep or not self._kept:
                self._batches, self._next, self._kept = self._stream.batches(index), index, {}
            while self._next <= index:
                self._kept[self._next] = self._following()
                self._next += 1
            self._kept = {i: b for i, b in self._kept.items() if i > self._next - keep}
            if time.monotonic() - self._metered > METER_S:
                self._metered = time.monotonic()
                self.totals()
        return self._kept[index].rows(range(start, stop))

    def _following(self) -> RawBatch:
        try:
            return next(self._batches)
        except Exception:
            # An error ends the iterator. The next request begins anew, and gets the same error or, if the store
            # has recovered, its batch.
            self._kept = {}
            raise

    def close(self) -> StreamTotals:
        """Free threads and memory, and return the totals. The reader must not be used again."""
        found = self.totals()
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
        self._kept = {}
        return found


class _Served:
    """A reader and its thread, so that a stream that waits for its store does not delay the others."""

    def __init__(self, reader: DomainReader, domain: str) -> None:
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"read-{domain}")
        self._waiting = 0
        self._used = time.monotonic()

    async def in_turn(self, work: Callable[[DomainReader], T]) -> T:
        """Call `work` in the reader's thread, after all that was asked before."""
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._reader)
        finally:
            self._waiting -= 1
            self._used = time.monotonic()

    def idle(self, seconds: float) -> bool:
        """Return True if nothing has been asked for so long."""
        return not self._waiting and time.monotonic() - self._used > seconds

    async def ended(self) -> StreamTotals:
        """Close the reader after all that was asked before, and return its totals."""
        found = await self.in_turn(DomainReader.close)
        self._thread.shutdown(wait=False)
        return found


class DomainReaders:
    """Serves the streams of any number of trainings. A stream is opened by the first request for its batches.

    Args:
        idle_s: seconds without a request after which a stream's threads and memory are freed.
    """

    def __init__(self, idle_s: float = IDLE_S) -> None:
        share_arenas()
        self._idle_s = idle_s
        self._open: dict[tuple[bytes, str], _Served] = {}
        # Totals of streams that were idle, until they are closed. Each takes about a kilobyte.
        self._before: dict[tuple[bytes, str], StreamTotals] = {}
        self._freeing: asyncio.Task[None] | None = None

    async def batches(self, reading: bytes, needs: Sequence[Need]) -> list[RawBatch]:
        """Return the rows that are needed of some batches of a training, in the order of `needs`.

        Args:
            reading: the training's, from `Reading.encoded`.
            needs: parts of batches of this actor's domains.

        Raises:
            DataError: a shard or sample that the batches need is missing or damaged.
            StorageError: the store cannot be read.
        """
        if self._freeing is None:
            self._freeing = asyncio.create_task(self._free_idle())
        return list(await asyncio.gather(*(self._batch(reading, need) for need in needs)))

    async def _batch(self, reading: bytes, need: Need) -> RawBatch:
        key, rows = (reading, need.domain), need.rows
        if key not in self._open:
            self._open[key] = _Served(DomainReader(Reading.decoded(reading), need.domain), need.domain)
        return await self._open[key].in_turn(lambda reader: reader.batch(need.index, rows.start, rows.stop))

    async def totals(self, reading: bytes, domain: str) -> StreamTotals:
        """Return how much was read for a stream, and how long workers waited, since the actor's last start."""
        found = self._before.get((reading, domain), StreamTotals())
        served = self._open.get((reading, domain))
        return found + await served.in_turn(DomainReader.totals) if served else found

    async def close(self, reading: bytes, domain: str) -> StreamTotals:
        """Free a stream's threads and memory, forget its totals and return them."""
        served = self._open.pop((reading, domain), None)
        found = self._before.pop((reading, domain), StreamTotals())
        return found + await served.ended() if served else found

    async def _free_idle(self) -> None:
        while True:
            await asyncio.sleep(self._idle_s / 4)
            for key in [key for key, served in self._open.items() if served.idle(self._idle_s)]:
                self._before[key] = await self.close(*key)


# An actor takes no slot, and is restarted whenever a batch is requested. It asks for one byte of memory because
# Ray ignores the soft affinity of an actor that asks for nothing, and starts it on a random node.
ReadingActor = ray.remote(num_cpus=0, memory=1, max_restarts=-1, max_task_retries=-1)(DomainReaders)
