"""Put the maps of a face, or of the patches that it was cut into, together to one map over the whole face."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Map = NDArray[np.float64]

GRID = 32  # places per side of a map over a face, as many as a stored depth map has


def over_face(maps: Map, places: NDArray[np.int32], stride: int, side: int, crop: int) -> Map:
    """Return one map over a face from the maps of its patches, averaged where patches overlap.

    Between the centres of a map's places, values are interpolated linearly; beyond the outermost centres they
    are constant.

    Args:
        maps: P×h×h, a map for each patch; of a whole face, P is 1.
        places: P×2, left and top of each patch in pixels of the crop.
        stride: side in pixels of the square that a place of a map lies over.
        side: side of a patch in pixels.
        crop: side of the face crop in pixels.

    Returns:
        GRID×GRID over the crop, rows first. NaN where no patch lies.
    """
    total, covered = np.zeros((GRID, GRID)), np.zeros((GRID, GRID))
    for values, (left, top) in zip(maps, places.tolist(), strict=True):
        down, across = (_weights(start, stride, side, crop, len(values)) for start in (top, left))
        total += down @ values @ across.T
        covered += np.outer(down.sum(axis=1), across.sum(axis=1))
    return np.where(covered > 0, total / np.maximum(covered, 1), np.nan)


def mean_map(maps: Sequence[Map]) -> Map:
    """Return the mean of GRID×GRID maps over those that cover a place; NaN where none does."""
    stacked = np.stack(maps)
    covered = (~np.isnan(stacked)).sum(axis=0)
    return np.where(covered > 0, np.nansum(stacked, axis=0) / np.maximum(covered, 1), np.nan)


class Parts(NamedTuple):
    """What maps of several faces consist of: the means of faces, a pattern common to all, and the rest.

    Attributes:
        pattern: GRID×GRID, the mean of all maps less their means: what a place adds in every face.
        shares: the share of the variance of the maps that lies between the means of faces, in the common
            pattern, and in what is peculiar to places of single faces. They sum to 1, or are all 0 if the maps
            do not vary.
    """

    pattern: Map
    shares: tuple[float, float, float]


def parts(maps: Sequence[Map]) -> Parts:
    """Return what the maps of several faces consist of (an analysis of variance by face and place).

    Args:
        maps: GRID×GRID each, with NaN where nothing is known.
    """
    stacked = np.stack(maps)
    covered = ~np.isnan(stacked)
    mean = np.nanmean(stacked, axis=(1, 2), keepdims=True)
    pattern = mean_map(list(stacked - mean))
    each = (mean - np.nanmean(stacked), pattern[None], stacked - mean - pattern)
    sizes = [float((np.broadcast_to(part, stacked.shape)[covered] ** 2).sum()) for part in each]
    # If all maps cover the same places, the three sum to the whole variance.
    first, second, third = (size / (sum(sizes) or 1) for size in sizes)
    return Parts(pattern, (first, second, third))


def peculiar(values: Map, pattern: Map) -> Map:
    """Return a map less its mean and less the pattern common to all faces: what is peculiar to this face."""
    return values - np.nanmean(values) - pattern


def _weights(start: int, stride: int, side: int, crop: int, count: int) -> Map:
    """Return GRID×count weights along one axis. A row sums to 1 if its centre lies in the patch, else to 0."""
    pixel = (np.arange(GRID) + 0.5) * crop / GRID - start
    place = np.clip(pixel / stride - 0.5, 0, count - 1)
    distance = np.abs(place[:, None] - np.arange(count))
    inside = (pixel >= 0) & (pixel < side)
    weights: Map = np.maximum(1 - distance, 0) * inside[:, None]
    return weights
