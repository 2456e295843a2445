"""Put the maps of a face, or of the patches that it was cut into, together to one map over the whole face."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def share_within(maps: Sequence[Map]) -> float:
    """Return the share of the variance of maps that lies between the places of one map, in [0, 1].

    It is 0 if each map has the same value at all its places, and 1 if all maps have the same mean.
    """
    stacked = np.stack(maps)
    covered = ~np.isnan(stacked)
    mean = np.nanmean(stacked, axis=(1, 2), keepdims=True)
    within = float(((stacked - mean)[covered] ** 2).sum())
    whole = float(((stacked - np.nanmean(stacked))[covered] ** 2).sum())
    return within / whole if whole > 0 else 0.0


def _weights(start: int, stride: int, side: int, crop: int, count: int) -> Map:
    """Return GRID×count weights along one axis. A row sums to 1 if its centre lies in the patch, else to 0."""
    pixel = (np.arange(GRID) + 0.5) * crop / GRID - start
    place = np.clip(pixel / stride - 0.5, 0, count - 1)
    distance = np.abs(place[:, None] - np.arange(count))
    inside = (pixel >= 0) & (pixel < side)
    weights: Map = np.maximum(1 - distance, 0) * inside[:, None]
    return weights
