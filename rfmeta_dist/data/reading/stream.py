"""Batches of one domain: endless, balanced and seekable to train on; or each sample once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading.augment import augment
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.order import SampleOrder
from rfmeta_dist.data.reading.reader import Pools, Reader, Visited, open_pools
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest
from rfmeta_dist.data.shards.unpack import Packed
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Augmentation, Data
    from rfmeta_dist.core.patches import Patches, Place
    from rfmeta_dist.data.reading.reader import Pixels


class DomainStream:
    """Class-balanced batches of one domain; batch t is a pure function of (seed, domain, t, what varies it).

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
        patches: deliver one patch of each sample, drawn anew in each epoch; the whole face if not given.

    Raises:
        ConfigError: `batch` or `image_size` is unfit.
        DataError: the split lacks a class, or the stored images are smaller than `image_size`.
    """

    def __init__(  # noqa: PLR0913  all that decides a batch
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
        patches: Patches | None = None,
    ) -> None:
        if batch < 2 or batch % 2:
            raise ConfigError(f"batch is {batch}", "use an even number: half live, half attacks")
        self._half = batch // 2
        self._seed = seed
        if augmentation and patches:
            # It would resample pixels, and where a patch is drawn varies what is shown.
            augmentation = augmentation.model_copy(update={"crop": 0.0})
        self._augmentation = augmentation
        self._patches = patches
        self._image_size = image_size
        self._reader = Reader(store, manifest, image_size, cache, patches)
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
            data: the run's section: sizes, view, augmentation, cache.
            seed: the run's.
            varied: whether to vary the samples as the run says; if not, pixels stay as stored.

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
            patches=data.patches,
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
        with open_pools() as pools:
            live, attack = (self._samples(pools, label, start * self._half) for label in (1, 0))
            both = ([*islice(live, self._half), *islice(attack, self._half)] for _ in repeat(None))
            yield from self._reader.decoded(pools, both, self._vary, self._drawn if self._patches else None)

    def _samples(self, pools: Pools, label: int, position: int) -> Iterator[Visited]:
        """The endless samples of a class from `position` on."""
        shards, plan = self._classes[label], self._plans[label]
        # The plan is pure, so both stages walk it: one to fetch shards, one to arrange samples.
        wanted = (shards[index] for visit in plan.visits(position) for index in visit.shards)
        samples = _arrange(plan, position, self._reader.shards(pools, wanted))
        length = sum(plan.counts)
        return (Visited(sample, number // length) for number, sample in enumerate(samples, position))

    def _vary(self, sample: Visited, image: Pixels, depth: Pixels) -> tuple[Pixels, Pixels]:
        if self._augmentation is None:
            return image, depth
        return augment(image, depth, self._key(sample), self._augmentation)

    def _drawn(self, sample: Visited) -> list[Place]:
        assert self._patches is not None
        return [self._patches.drawn(sample.packed.row["width"], self._image_size, self._key(sample))]

    def _key(self, sample: Visited) -> tuple[int, str, int]:
        return self._seed, sample.packed.row["key"], sample.epoch


def scan(
    store: Store,
    manifest: Manifest,
    split: Split | None,
    *,
    image_size: int,
    batch: int,
    cache: Cache | None = None,
    patches: Patches | None = None,
) -> Iterator[RawBatch]:
    """Every sample of a split (of all, if None) once, in the manifest's order.

    Args:
        store: where the domain's folder is.
        manifest: the state of the domain to read.
        split: the split to read; all of them if None.
        image_size: side of the delivered images, a multiple of 8.
        batch: most images in a batch, unless a single face has more patches.
        cache: of this node's disk, if there is to be one.
        patches: deliver the patches of each face that are scored, not the face; all in one batch.

    Yields:
        Batches of `batch` samples, fewer if each gives several patches; the last may be shorter.

    Raises:
        ConfigError: `image_size` is unfit.
        DataError: a shard or sample is missing or damaged, or the stored images are smaller than `image_size`.
        StorageError: the store cannot be read.
    """
    wanted = (shard for shard in manifest.shards if split in (None, shard.split))
    reader = Reader(store, manifest, image_size, cache, patches)
    if patches:
        batch = max(1, batch // patches.grid**2)

    def places(sample: Visited) -> list[Place]:
        assert patches is not None
        return patches.scored(sample.packed.row["width"], image_size)

    with open_pools() as pools:
        samples = (Visited(sample, 0) for shard in reader.shards(pools, wanted) for sample in shard)
        groups = iter(lambda: list(islice(samples, batch)), [])
        yield from reader.decoded(pools, groups, _as_is, places if patches else None)


def _as_is(_: Visited, image: Pixels, depth: Pixels) -> tuple[Pixels, Pixels]:
    return image, depth


def _arrange(plan: SampleOrder, position: int, shards: Iterable[list[Packed]]) -> Iterator[Packed]:
    """Deliver the samples of each visit in the visit's order; holds one window, still encoded."""
    arriving = iter(shards)
    for visit in plan.visits(position):
        window = [sample for _ in visit.shards for sample in next(arriving)]
        yield from (window[index] for index in visit.order)
