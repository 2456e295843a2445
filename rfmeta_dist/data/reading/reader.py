"""Fetch whole shards in advance and decode their samples to batches; training and scoring both use this."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.shared import Shared
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.fetch import ahead, fetch
from rfmeta_dist.data.reading.meter import Meter
from rfmeta_dist.data.reading.order import WINDOW
from rfmeta_dist.data.reading.patches import cut_patch
from rfmeta_dist.data.reading.sizes import require_size
from rfmeta_dist.data.shards.decode import DEPTH_STRIDE, MAX_SIDE, decode, decode_stored
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.data.shards.unpack import Packed, unpack
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.core.patches import Patches, Place
    from rfmeta_dist.data.shards.manifest import Row

    Pixels = NDArray[np.uint8]
    Vary = Callable[["Visited", Pixels, Pixels], tuple[Pixels, Pixels]]
    Places = Callable[["Visited"], list[Place]]


_FETCHERS = 2  # one connection rarely uses the whole bandwidth
_DECODERS = min(4, os.cpu_count() or 1)  # threads suffice, because decoding releases Python's global lock


class Samples(list[Packed]):
    """The encoded samples of a shard, in the order of its tar. Unlike a plain list, it can be shared."""


# Streams of one process that need a shard at the same time have it in memory once. A stream needs a shard more
# than once at a time if its domain has few shards, because it fetches some in advance.
_SHARDS: Shared[Samples] = Shared()


@dataclass(frozen=True)
class Visited:
    """A sample that is about to be delivered.

    Attributes:
        packed: the sample, not decoded yet.
        epoch: how often all samples of its class were delivered before, from 0; decides its augmentation.
    """

    packed: Packed
    epoch: int


@dataclass(frozen=True)
class Pools:
    """The threads of one iteration over a stream.

    Attributes:
        fetch: threads that read shards from the store or the cache.
        decode: threads that decode samples.
    """

    fetch: ThreadPoolExecutor
    decode: ThreadPoolExecutor


@contextmanager
def open_pools() -> Iterator[Pools]:
    """Start the threads of one iteration, and stop them when the iteration ends."""
    pools = Pools(ThreadPoolExecutor(_FETCHERS, "fetch"), ThreadPoolExecutor(_DECODERS, "decode"))
    try:
        yield pools
    finally:
        # A caller may stop early. Pending work is then cancelled, so that nothing is read afterwards.
        pools.fetch.shutdown(wait=False, cancel_futures=True)
        pools.decode.shutdown(wait=False, cancel_futures=True)


class Reader:
    """Fetch, unpack, decode and vary the samples of one domain.

    Args:
        store: the parent of the domains' folders.
        manifest: the state of the domain to read.
        image_size: side of the delivered images in pixels, a multiple of 8.
        cache: this node's cache; None to read from the store each time.
        patches: how patches are cut; None for whole faces.

    Raises:
        ConfigError: `image_size` is out of range.
        DataError: the stored images are smaller than `image_size`.
    """

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        image_size: int,
        cache: Cache | None,
        patches: Patches | None,
    ) -> None:
        if image_size % DEPTH_STRIDE or not 0 < image_size <= MAX_SIDE:
            raise ConfigError(
                f"image_size is {image_size}, but it must be a multiple of 8 from 8 to {MAX_SIDE}",
                f"use a multiple of 8 of at most {MAX_SIDE}",
            )
        require_size(manifest, image_size, patches)
        self._folder = store.sub(manifest.domain)
        self._manifest = manifest
        self._image_size = image_size
        self._cache = cache
        self.meter = Meter()

    def shards(self, pools: Pools, wanted: Iterable[Shard]) -> Iterator[Samples]:
        """Yield the encoded samples of each shard, in the order of `wanted`. `WINDOW` shards are fetched ahead.

        Raises:
            DataError: a shard is missing or damaged; raised when its samples are requested.
            StorageError: the store cannot be read.
        """
        return ahead(self._unpacked, wanted, pool=pools.fetch, depth=WINDOW, meter=self.meter)

    def decoded(
        self, pools: Pools, groups: Iterable[list[Visited]], vary: Vary, places: Places | None
    ) -> Iterator[RawBatch]:
        """Yield a batch for each group of samples. A few groups are decoded ahead.

        Args:
            pools: the threads.
            groups: the samples of each batch.
            vary: returns the image and the depth map of a sample after augmentation.
            places: returns where to cut patches out of a sample; the batch then has the patches of the first
                sample, then those of the second, and so on. None to deliver whole faces.

        Raises:
            DataError: a sample is damaged; raised when its batch is requested.
        """
        work = partial(self._faces, vary) if places is None else partial(self._cut, vary, places)
        return ahead(work, groups, pool=pools.decode, depth=_DECODERS, meter=self.meter)

    def _unpacked(self, shard: Shard) -> Samples:
        where = f"{self._folder.url}/{shard.name}"
        fetched = False

        def load() -> Samples:
            nonlocal fetched
            fetched = True
            data = fetch(self._folder, shard, self._cache, self.meter)
            some = bool(self._manifest.protocol)
            return Samples(unpack(data, self._manifest.rows(shard), where, known=True, some=some))

        # The rows of the samples come from the manifest, so they belong to the key.
        manifest = self._manifest
        found = _SHARDS.get((where, shard.sha256, manifest.fingerprint, manifest.part(shard.split)), load)
        self.meter.add(cache_hits=int(not fetched))
        return found

    def _faces(self, vary: Vary, samples: list[Visited]) -> RawBatch:
        import numpy as np

        count, side = len(samples), self._image_size
        image = np.empty((count, side, side, 3), np.uint8)
        depth = np.empty((count, side // DEPTH_STRIDE, side // DEPTH_STRIDE), np.uint8)
        for index, sample in enumerate(samples):
            # Decode directly into the batch: a copy would take a quarter as long as the decoding.
            place = image[index]
            found, depth[index] = vary(sample, *decode(sample.packed, side, place))
            if found is not place:
                place[:] = found
        self.meter.add(samples=count)
        return _raw(image, depth, [sample.packed.row for sample in samples])

    def _cut(self, vary: Vary, places: Places, samples: list[Visited]) -> RawBatch:
        import numpy as np

        side, wanted = self._image_size, [places(sample) for sample in samples]
        rows = [s.packed.row for s, found in zip(samples, wanted, strict=True) for _ in found]
        where = [place for found in wanted for place in found]
        image = np.empty((len(rows), side, side, 3), np.uint8)
        depth = np.empty((len(rows), side // DEPTH_STRIDE, side // DEPTH_STRIDE), np.uint8)
        index = 0
        for sample, found in zip(samples, wanted, strict=True):
            whole, its_depth = decode_stored(sample.packed)  # one crop at a time, whatever its size
            for place in found:
                image[index], depth[index] = vary(sample, *cut_patch(whole, its_depth, place, side))
                index += 1
        self.meter.add(samples=len(samples))
        recorded = [(*place, row["width"]) for place, row in zip(where, rows, strict=True)]
        return _raw(image, depth, rows, np.array(recorded, np.int32))


def _raw(image: Pixels, depth: Pixels, rows: list[Row], place: NDArray[np.int32] | None = None) -> RawBatch:
    import numpy as np

    label = np.array([row["label"] for row in rows], np.float32)
    return RawBatch(image, depth, label, tuple(row["key"] for row in rows), place)
