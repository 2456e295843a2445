"""Compute histograms of co-occurring adjacent local binary patterns.

Nosaka, Ohkawa and Fukui, "Feature extraction based on co-occurrence of adjacent local binary patterns",
PSIVT 2011.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.texture.lbp import histograms

# Displacements of the second pattern, as multiples of the interval: right, down, down right, down left.
DISPLACEMENTS = ((0, 1), (1, 0), (1, 1), (1, -1))


def coalbp(images: NDArray[np.uint8], radius: int, interval: int) -> NDArray[np.float64]:
    """Return how often each pair of patterns occurs in each of four directions.

    A pattern has the four neighbours above, to the right, below and to the left (the layout +), and so 16
    values. The border of `radius` pixels is cut off.

    Args:
        images: B×H×W grey levels.
        radius: distance of the neighbours in pixels.
        interval: distance of the two patterns of a pair in pixels.

    Returns:
        B×1024. The 256 shares of each direction sum to 1.
    """
    values = images.astype(np.int16)
    height, width = (size - 2 * radius for size in values.shape[1:])

    def shifted(down: int, right: int) -> NDArray[np.int16]:
        y, x = radius + down * radius, radius + right * radius
        return values[:, y : y + height, x : x + width]

    code = np.zeros((len(values), height, width), np.intp)
    for down, right in ((-1, 0), (0, 1), (1, 0), (0, -1)):
        code = code << 1 | (shifted(down, right) >= shifted(0, 0))
    return np.concatenate([_pairs(code, down * interval, right * interval) for down, right in DISPLACEMENTS], 1)


def _pairs(code: NDArray[np.intp], down: int, right: int) -> NDArray[np.float64]:
    height, width = code.shape[1:]
    left = max(0, -right)
    first = code[:, : height - down, left : width - max(0, right)]
    second = code[:, down:, left + right : width - max(0, right) + right]
    return histograms(first * 16 + second, 256)
