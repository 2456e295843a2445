"""Batches of one domain: endless, balanced and seekable to train on; or each sample once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading.augment import augment
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.fetch import ahead, fetch
from rfmeta_dist.data.reading.meter import Meter
from rfmeta_dist.data.reading.order import WINDOW, SampleOrder
from rfmeta_dist.data.shards.decode import DEPTH_STRIDE, MAX_SIDE, decode
from rfmeta_dist.data.shards.manifest import CLASSES, Head, Manifest, Shard
from rfmeta_dist.data.shards.unpack import Packed, unpack
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.schema import Augmentation, Data

    Pixels = NDArray[np.uint8]
    Vary = Callable[["_Visited", Pixels, Pixels], tuple[Pixels, Pixels]]


_FETCHERS = 2  # one connection rarely fills a link
_DECODERS = min(4, os.cpu_count() or 1)  # decoding leaves Python's lock: threads suffice


class DomainStream:
    """Class-balanced batches of one domain; batch t is a pure function of (seed, domain, t, augmentation).

    However slowly the batches are taken, memory holds at most two windows of shards a class, still encoded, and
    a batch for each decoding thread beyond the one delivered.

    Args:
        store: where the domain's folder is.
        manifest: the state of the domain to read.
        split: the split to read.
        batch: samples in a batch, even: half are live, half attacks.
        image_size: side of the delivered images, a multiple of 8.
        seed: the run's seed.
        augmentation: how to vary the samples, anew in each epoch; not at all if not given.
        cache: of this node's disk, if there is to be one.

    Raises:
        ConfigError: `batch` or `image_size` is unfit.
        DataError: the split lacks a class, or the stored images are smaller than `image_size`.
    """

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        *,
        split: Split,
        batch: int,
        image_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
        cache: Cache | None = None,
    ) -> None:
        if batch < 2 or batch % 2:
            raise ConfigError(f"batch is {batch}", "use an even number: half live, half attacks")
        self._half = batch // 2
        self._seed = seed
        self._augmentation = augmentation
        self._reader = _Reader(store, manifest, image_size, cache)
        self._classes = {label: manifest.stream(split, label) for label in (1, 0)}
        self._plans = {
            label: SampleOrder(
                [shard.samples for shard in shards],
                seed,
                f"{manifest.domain}/{split}/{CLASSES[label]}",
            )
            for label, shards in self._classes.items()
        }

    @classmethod
    def of_run(
        cls, store: Store, manifest: Manifest, data: Data, seed: int, *, varied: bool = True
    ) -> DomainStream:
        """Open the training batches of a run.

        Args:
            store: where the domain's folder is.
            manifest: the state of the domain to read.
            data: the run's section: sizes, augmentation, cache.
            seed: the run's.
            varied: whether to vary the samples as the run says; if not, they stay as stored.

        Raises:
            DataError: the training split lacks a class.
        """
        return cls(
            store,
            manifest,
            split="train",
            batch=data.batch,
            image_size=data.image_size,
            seed=seed,
            augmentation=data.augmentation if varied else None,
            cache=Cache.of_node(data.prefix, data.cache_gb),
        )

    @property
    def totals(self) -> StreamTotals:
        """What this stream has read, decoded and waited for so far."""
        return self._reader.meter.read()

    def batches(self, start: int = 0) -> Iterator[RawBatch]:
        """Endless batches from number `start` on, the live half first.

        Starting late costs at most the reading of one window of shards a class.

        Raises:
            DataError: a shard or sample is missing or damaged; named, and never skipped.
            StorageError: the store cannot be read.
        """
        with _pools() as pools:
            live, attack = (self._samples(pools, label, start * self._half) for label in (1, 0))
            both = ([*islice(live, self._half), *islice(attack, self._half)] for _ in repeat(None))
            yield from self._reader.decoded(pools, both, self._vary)

    def _samples(self, pools: _Pools, label: int, position: int) -> Iterator[_Visited]:
        """The endless samples of a class from `position` on."""
        shards, plan = self._classes[label], self._plans[label]
        # The plan is pure, so both stages walk it: one to fetch shards, one to arrange samples.
        wanted = (shards[index] for visit in plan.visits(position) for index in visit.shards)
        samples = _arrange(plan, position, self._reader.shards(pools, wanted))
        length = sum(plan.counts)
        return (_Visited(sample, number // length) for number, sample in enumerate(samples, position))

    def _vary(self, sample: _Visited, image: Pixels, depth: Pixels) -> tuple[Pixels, Pixels]:
        if self._augmentation is None:
            return image, depth
        key = (self._seed, sample.packed.row["key"], sample.epoch)
        return augment(image, depth, key, self._augmentation)


def scan(
    store: Store,
    manifest: Manifest,
    split: Split | None,
    *,
    image_size: int,
    batch: int,
    cache: Cache | None = None,
) -> Iterator[RawBatch]:
    """Every sample of a split (of all, if None) once, in the manifest's order.

    Yields:
        Batches of `batch` samples; the last may be shorter.

    Raises:
        ConfigError: `image_size` is unfit.
        DataError: a shard or sample is missing or damaged, or the stored images are smaller than `image_size`.
        StorageError: the store cannot be read.
    """
    wanted = (shard for shard in manifest.shards if split in (None, shard.split))
    reader = _Reader(store, manifest, image_size, cache)
    with _pools() as pools:
        samples = (_Visited(sample, 0) for shard in reader.shards(pools, wanted) for sample in shard)
        groups = iter(lambda: list(islice(samples, batch)), [])
        yield from reader.decoded(pools, groups, _as_is)


def require_size(head: Head, image_size: int) -> None:
    """Check that the images of a domain are stored at least as large as they are wanted.

    An enlarged image is blurred as no crop of the other domains is, which would tell the domains apart.

    Raises:
        DataError: the domain holds smaller ones.
    """
    if head.image_size < image_size:
        raise DataError(
            f"domain {head.domain} holds crops of {head.image_size} pixels, which are smaller than "
            f"data.image_size={image_size}",
            f"set data.image_size={head.image_size} for a new run, or ingest larger crops",
        )


@dataclass(frozen=True)
class _Visited:
    """A sample on one of its visits: in which epoch of its class."""

    packed: Packed
    epoch: int


@dataclass(frozen=True)
class _Pools:
    """The threads of one iteration."""

    fetch: ThreadPoolExecutor
    decode: ThreadPoolExecutor


@contextmanager
def _pools() -> Iterator[_Pools]:
    pools = _Pools(ThreadPoolExecutor(_FETCHERS, "fetch"), ThreadPoolExecutor(_DECODERS, "decode"))
    try:
        yield pools
    finally:
        # Also when the caller stops early: leave nothing reading behind its back.
        pools.fetch.shutdown(wait=False, cancel_futures=True)
        pools.decode.shutdown(wait=False, cancel_futures=True)


class _Reader:
    """The stages that every reading of a domain shares."""

    def __init__(self, store: Store, manifest: Manifest, image_size: int, cache: Cache | None) -> None:
        if image_size % DEPTH_STRIDE or not 0 < image_size <= MAX_SIDE:
            raise ConfigError(f"image_size is {image_size}", f"use a multiple of 8 of at most {MAX_SIDE}")
        require_size(manifest, image_size)
        self._folder = store.sub(manifest.domain)
        self._manifest = manifest
        self._image_size = image_size
        self._cache = cache
        self.meter = Meter()

    def shards(self, pools: _Pools, wanted: Iterable[Shard]) -> Iterator[list[Packed]]:
        """The samples of each shard, still encoded; the shards of a window are read before their turn."""
        return ahead(self._unpacked, wanted, pool=pools.fetch, depth=WINDOW, meter=self.meter)

    def decoded(self, pools: _Pools, groups: Iterable[list[_Visited]], vary: Vary) -> Iterator[RawBatch]:
        """A batch of each group of samples, decoded and varied; a few are decoded before their turn."""
        work = partial(self._batch, vary)
        return ahead(work, groups, pool=pools.decode, depth=_DECODERS, meter=self.meter)

    def _unpacked(self, shard: Shard) -> list[Packed]:
        data = fetch(self._folder, shard, self._cache, self.meter)
        return unpack(data, self._manifest.rows(shard), f"{self._folder.url}/{shard.name}", known=True)

    def _batch(self, vary: Vary, samples: list[_Visited]) -> RawBatch:
        import numpy as np

        count, side = len(samples), self._image_size
        image = np.empty((count, side, side, 3), np.uint8)
        depth = np.empty((count, side // DEPTH_STRIDE, side // DEPTH_STRIDE), np.uint8)
        for index, sample in enumerate(samples):
            # Decoded in its place: copying it there would cost a quarter of the decoding again.
            place = image[index]
            found, depth[index] = vary(sample, *decode(sample.packed, side, place))
            if found is not place:
                place[:] = found
        self.meter.add(samples=count)
        rows = [sample.packed.row for sample in samples]
        label = np.array([row["label"] for row in rows], np.float32)
        return RawBatch(image, depth, label, tuple(row["key"] for row in rows))


def _as_is(_: _Visited, image: Pixels, depth: Pixels) -> tuple[Pixels, Pixels]:
    return image, depth


def _arrange(plan: SampleOrder, position: int, shards: Iterable[list[Packed]]) -> Iterator[Packed]:
    """Deliver the samples of each visit in the visit's order; holds one window, still encoded."""
    arriving = iter(shards)
    for visit in plan.visits(position):
        window = [sample for _ in visit.shards for sample in next(arriving)]
        yield from (window[index] for index in visit.order)
