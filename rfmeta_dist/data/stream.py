"""Batches of one domain: endless, balanced and seekable to train on; or each sample once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.decode import DEPTH_STRIDE, MAX_SIDE, decode
from rfmeta_dist.data.fetch import read_ahead
from rfmeta_dist.data.manifest import CLASSES, Manifest, Row, Shard
from rfmeta_dist.data.plan import Plan
from rfmeta_dist.data.unpack import Packed, unpack
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Decoded = tuple[Row, NDArray[np.uint8], NDArray[np.uint8]]


class DomainStream:
    """Class-balanced batches of one domain; batch t is a pure function of (seed, domain, t).

    Args:
        store: where the domain's folder is.
        manifest: the state of the domain to read.
        split: the split to read.
        batch: samples in a batch, even: half are live, half attacks.
        image_size: side of the delivered images, a multiple of 8.
        seed: the run's seed.

    Raises:
        ConfigError: `batch` or `image_size` is unfit.
        DataError: the split lacks a class.
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
    ) -> None:
        if batch < 2 or batch % 2:
            raise ConfigError(f"batch is {batch}", "use an even number: half live, half attacks")
        self._half = batch // 2
        self._reader = _Reader(store, manifest, image_size)
        self._classes = {label: manifest.stream(split, label) for label in (1, 0)}
        self._plans = {
            label: Plan(
                [shard.samples for shard in shards],
                seed,
                f"{manifest.domain}/{split}/{CLASSES[label]}",
            )
            for label, shards in self._classes.items()
        }

    def batches(self, start: int = 0) -> Iterator[RawBatch]:
        """Endless batches from number `start` on, the live half first.

        Starting late costs at most the reading of one window of shards a class.

        Raises:
            DataError: a shard or sample is missing or damaged; named, and never skipped.
            StorageError: the store cannot be read.
        """
        live, attack = (self._samples(label, start * self._half) for label in (1, 0))
        while True:
            yield _stack([*islice(live, self._half), *islice(attack, self._half)])

    def _samples(self, label: int, position: int) -> Iterator[Decoded]:
        """The endless samples of a class from `position` on."""
        shards, plan = self._classes[label], self._plans[label]
        # The plan is pure, so both stages walk it: one to fetch shards, one to arrange samples.
        return self._reader.samples(
            (shards[index] for visit in plan.visits(position) for index in visit.shards),
            partial(_arrange, plan, position),
        )


def scan(
    store: Store, manifest: Manifest, split: Split | None, *, image_size: int, batch: int
) -> Iterator[RawBatch]:
    """Every sample of a split (of all, if None) once, in the manifest's order.

    Yields:
        Batches of `batch` samples; the last may be shorter.

    Raises:
        ConfigError: `image_size` is unfit.
        DataError: a shard or sample is missing or damaged.
        StorageError: the store cannot be read.
    """
    shards = (shard for shard in manifest.shards if split in (None, shard.split))
    samples = _Reader(store, manifest, image_size).samples(shards, _in_order)
    while found := list(islice(samples, batch)):
        yield _stack(found)


class _Reader:
    """The stages that every reading of a domain shares."""

    def __init__(self, store: Store, manifest: Manifest, image_size: int) -> None:
        if image_size % DEPTH_STRIDE or not 0 < image_size <= MAX_SIDE:
            raise ConfigError(f"image_size is {image_size}", f"use a multiple of 8 of at most {MAX_SIDE}")
        self._folder = store.sub(manifest.domain)
        self._manifest = manifest
        self._image_size = image_size

    def samples(
        self,
        shards: Iterable[Shard],
        arrange: Callable[[Iterable[list[Packed]]], Iterator[Packed]],
    ) -> Iterator[Decoded]:
        """Fetch and unpack shards, put their samples in order, and decode them."""
        import webdataset as wds

        stages = wds.DataPipeline(
            lambda: shards,
            partial(read_ahead, self._folder),
            wds.map(self._unpacked),
            arrange,
            wds.map(self._decoded),
        )
        return iter(stages)

    def _unpacked(self, fetched: tuple[Shard, bytes]) -> list[Packed]:
        shard, data = fetched
        return unpack(data, self._manifest.rows(shard), f"{self._folder.url}/{shard.name}")

    def _decoded(self, sample: Packed) -> Decoded:
        return sample.row, *decode(sample, self._image_size)


def _arrange(plan: Plan, position: int, shards: Iterable[list[Packed]]) -> Iterator[Packed]:
    """Deliver the samples of each visit in the visit's order; holds one window, still encoded."""
    arriving = iter(shards)
    for visit in plan.visits(position):
        window = [sample for _ in visit.shards for sample in next(arriving)]
        yield from (window[index] for index in visit.order)


def _in_order(shards: Iterable[list[Packed]]) -> Iterator[Packed]:
    for shard in shards:
        yield from shard


def _stack(samples: list[Decoded]) -> RawBatch:
    import numpy as np

    rows, images, depths = zip(*samples, strict=True)
    return RawBatch(
        image=np.stack(images),
        depth=np.stack(depths),
        label=np.array([row["label"] for row in rows], np.float32),
        keys=tuple(row["key"] for row in rows),
    )
