"""Find face crops on which an exported model is compared with PyTorch, or an int8 model is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.types import Split
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.reader import Pools, Reader, open_pools
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.decode import decode, decode_stored
from rfmeta_dist.data.shards.manifest import Shard
from rfmeta_dist.data.shards.unpack import Packed
from rfmeta_dist.detectors.api import View

Crop = NDArray[np.uint8]

WANTED = 200
SHIPPED = Path(__file__).with_name("crops.jpg")  # faces of generated people, 20 across and 10 down
_ACROSS, _DOWN, _SIDE = 20, 10, 80
_TOGETHER = 25  # crops of native sizes that are trimmed to one size


def of_sources(
    sources: Sources, view: View, split: Split, *, cache: Cache | None, wanted: int = WANTED
) -> list[Crop]:
    """Return crops of a split of the sources, as the model takes them: half live, half attacks.

    The crops are spread evenly over the sources, and within each over its shards. There are fewer if the
    sources do not have as many.

    Args:
        sources: the source domains.
        view: the detector's view. Whole crops are resized to its `image_size`; crops for patches keep their
            size.
        split: the split to read.
        cache: this node's cache of shards, or None.
        wanted: number of crops, even.

    Raises:
        DataError: a shard is missing or damaged, or a split lacks a class.
        StorageError: the store cannot be read.
    """
    share = -(-wanted // (2 * len(sources.manifests)))
    found: dict[int, list[list[Crop]]] = {1: [], 0: []}
    with open_pools() as pools:
        for manifest in sources.manifests.values():
            reader = Reader(sources.store, manifest, view.image_size, cache, view.patches)
            for label, of_class in found.items():
                samples = _some(reader, pools, manifest.stream(split, label), share)
                of_class.append([_decoded(sample, view) for sample in samples])
    live, attacks = (_alternating(found[label]) for label in (1, 0))
    half = min(wanted // 2, len(live), len(attacks))
    return [*live[:half], *attacks[:half]]


def shipped(view: View) -> list[Crop]:
    """Return 200 crops of generated faces that come with this package, half live, half attacks.

    They are enlarged or reduced to the model's size. For patches they are enlarged only if no patch would fit.
    """
    import cv2
    import simplejpeg

    sheet: Crop = simplejpeg.decode_jpeg(SHIPPED.read_bytes(), colorspace="RGB")
    grid = sheet.reshape(_DOWN, _SIDE, _ACROSS, _SIDE, 3).swapaxes(1, 2).reshape(-1, _SIDE, _SIDE, 3)
    side = view.image_size if view.patches is None else max(_SIDE, view.image_size)
    if side == _SIDE:
        return list(grid)
    way = cv2.INTER_AREA if side < _SIDE else cv2.INTER_CUBIC
    return [cv2.resize(crop, (side, side), interpolation=way) for crop in grid]


def stacked(crops: Sequence[Crop]) -> list[Crop]:
    """Join crops to arrays N×S×S×3 of one size each, so that they can be scored in batches.

    Crops of native sizes are sorted by size, and each 25 of them are trimmed to the smallest one's size.
    """
    sides = {len(crop) for crop in crops}
    if len(sides) <= len(crops) // _TOGETHER:
        return [np.stack([crop for crop in crops if len(crop) == side]) for side in sorted(sides)]
    ordered = sorted(crops, key=len)
    groups = [ordered[start : start + _TOGETHER] for start in range(0, len(ordered), _TOGETHER)]
    return [np.stack([_trimmed(crop, len(group[0])) for crop in group]) for group in groups]


def _trimmed(crop: Crop, side: int) -> Crop:
    edge = (len(crop) - side) // 2
    return crop[edge : edge + side, edge : edge + side]


def _some(reader: Reader, pools: Pools, shards: Sequence[Shard], wanted: int) -> list[Packed]:
    """Return samples that are spread evenly over as few shards as have enough."""
    for count in range(1, len(shards) + 1):
        chosen = [shards[index] for index in _spread(len(shards), count)]
        if sum(shard.samples for shard in chosen) >= wanted:
            break
    samples = [sample for unpacked in reader.shards(pools, chosen) for sample in unpacked]
    return [samples[index] for index in _spread(len(samples), wanted)]


def _spread(count: int, wanted: int) -> list[int]:
    """Return at most `wanted` of the numbers from 0 to count − 1, evenly spaced."""
    if wanted >= count:
        return list(range(count))
    return [index * count // wanted for index in range(wanted)]


def _decoded(sample: Packed, view: View) -> Crop:
    return (decode(sample, view.image_size) if view.patches is None else decode_stored(sample))[0]


def _alternating(parts: Sequence[Sequence[Crop]]) -> list[Crop]:
    """Return the first crop of each part, then the second of each, and so on."""
    longest = max(map(len, parts))
    return [part[index] for index in range(longest) for part in parts if index < len(part)]
