"""Read batches of one domain: an endless, class-balanced stream for training, or each sample once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import islice, repeat
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading.augment import augment
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.order import SampleOrder
from rfmeta_dist.data.reading.reader import Pools, Reader, Samples, Visited, open_pools
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest
from rfmeta_dist.data.shards.unpack import Packed
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from rfmeta_dist.config.augmentation import Augmentation
    from rfmeta_dist.config.schema import Data
    from rfmeta_dist.core.patches import Patches, Place
    from rfmeta_dist.data.reading.reader import Pixels


class DomainStream:
    """Class-balanced batches of one domain. Batch t depends only on seed, domain, t, augmentation and patches.

    If the batches are consumed slowly, memory holds for each class at most two windows of encoded shards (a
    window is `order.WINDOW` shards, among which samples are shuffled), and one decoded batch for each decoding
    thread besides the batch in use.

    Args:
        store: the parent of the domains' folders.
        manifest: the state of the domain to read.
        split: the split to read.
        batch: samples in a batch, even: half are live, half attacks.
        image_size: side of the delivered images in pixels, a multiple of 8.
        seed: the run's seed.
        augmentation: how to augment the samples, drawn anew in each epoch; None for no augmentation.
        cache: this node's cache; None to read from the store each time.
        patches: deliver one random patch of each sample, drawn anew in each epoch; None to deliver whole faces.

    Raises:
        ConfigError: `batch` or `image_size` is out of range.
        DataError: the split lacks a class, or the stored images are smaller than `image_size`.
    """

    def __init__(  # noqa: PLR0913  a batch depends on all of these
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
            raise ConfigError(
                f"batch is {batch}, but half of a batch is live and half attacks",
                "use an even number of at least 2",
            )
        self._half = batch // 2
        self._seed = seed
        if augmentation and patches:
            # A random crop would resample pixels. The random place of the patch already varies what is shown.
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
            store: the parent of the domains' folders.
            manifest: the state of the domain to read.
            data: the run's `data` section: sizes, view, augmentation, cache.
            seed: the run's seed.
            varied: True to augment the samples as configured; False to deliver the pixels as stored.

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
        """Return bytes and shards read, samples delivered and seconds waited, since the stream was made."""
        return self._reader.meter.read()

    def batches(self, start: int = 0) -> Iterator[RawBatch]:
        """Yield batches without end, from batch number `start` on.

        Samples are shuffled within windows: `order.WINDOW` shards of one class that are in memory together. To
        start at a later batch, at most one window of each class is read first.

        Args:
            start: number of the first batch, from 0.

        Yields:
            Batches of `batch` samples. The first half of a batch is live, the second half attacks.

        Raises:
            DataError: a shard or sample is missing or damaged. The error names it; a sample is never skipped.
            StorageError: the store cannot be read.

        Both errors are raised when the batch that needs the shard is requested, not by the call itself.
        """
        with open_pools() as pools:
            live, attack = (self._samples(pools, label, start * self._half) for label in (1, 0))
            both = ([*islice(live, self._half), *islice(attack, self._half)] for _ in repeat(None))
            yield from self._reader.decoded(pools, both, self._vary, self._drawn if self._patches else None)

    def _samples(self, pools: Pools, label: int, position: int) -> Iterator[Visited]:
        """Yield the samples of a class without end, from `position` on."""
        shards, plan = self._classes[label], self._plans[label]
        # `visits` is a pure function, so it is iterated twice: once to fetch shards, once to order the samples.
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
    only: Container[str] | None = None,
) -> Iterator[RawBatch]:
    """Yield every sample of a split once, in the manifest's order.

    Args:
        store: the parent of the domains' folders.
        manifest: the state of the domain to read.
        split: the split to read; None for all splits.
        image_size: side of the delivered images in pixels, a multiple of 8.
        batch: largest number of images in a batch, unless a single face has more patches.
        cache: this node's cache; None to read from the store each time.
        patches: deliver the grid of patches on which a face is scored instead of the face. All patches of a
            face are in the same batch.
        only: keys of the samples to yield; the others are not decoded. None for all samples.

    Yields:
        Batches of at most `batch` images; the last may be smaller.

    Raises:
        ConfigError: `image_size` is out of range.
        DataError: a shard or sample is missing or damaged, or the stored images are smaller than `image_size`.
        StorageError: the store cannot be read.

    All errors are raised when a batch is requested, not by the call itself.
    """
    wanted = (shard for shard in manifest.shards if split in (None, shard.split))
    reader = Reader(store, manifest, image_size, cache, patches)
    if patches:
        batch = max(1, batch // patches.grid**2)

    def places(sample: Visited) -> list[Place]:
        assert patches is not None
        return patches.scored(sample.packed.row["width"], image_size)

    with open_pools() as pools:
        found = (sample for shard in reader.shards(pools, wanted) for sample in shard)
        samples = (Visited(s, 0) for s in found if only is None or s.row["key"] in only)
        groups = iter(lambda: list(islice(samples, batch)), [])
        yield from reader.decoded(pools, groups, _as_is, places if patches else None)


def _as_is(_: Visited, image: Pixels, depth: Pixels) -> tuple[Pixels, Pixels]:
    return image, depth


def _arrange(plan: SampleOrder, position: int, shards: Iterable[Samples]) -> Iterator[Packed]:
    """Yield the samples of each visit in the visit's order. Memory holds one window of encoded samples."""
    arriving = iter(shards)
    for visit in plan.visits(position):
        together = [next(arriving) for _ in visit.shards]  # kept, so that other streams can share the shards
        window = [sample for samples in together for sample in samples]
        yield from (window[index] for index in visit.order)
