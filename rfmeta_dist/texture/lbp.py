"""Compute local binary patterns, and the features of the multi-scale LBP method.

Ojala, Pietikäinen and Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification with
local binary patterns", PAMI 2002. Määttä, Hadid and Pietikäinen, "Face spoofing detection from single images
using micro-texture analysis", IJCB 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.texture.api import Kernel
from rfmeta_dist.texture.images import grey, resized

SIDE = 64
DIGITS = 5  # digits of the neighbours' coordinates, as in scikit-image
# A sampled neighbour may equal the centre except for rounding, which differs between processors. Grey levels
# are whole numbers and coordinates have five digits, so values that differ, differ by 1e-10 or more.
ROUNDING = 1e-11


def lbp(images: NDArray[np.uint8], points: int, radius: int) -> NDArray[np.intp]:
    """Return the labels of uniform patterns, LBP^{u2}_{points,radius}.

    Neighbours lie on a circle and are interpolated bilinearly. The border of `radius` pixels, whose neighbours
    lie outside, is cut off.

    Args:
        images: …×H×W grey levels.
        points: number of neighbours, 8 or 16.
        radius: radius of the circle in pixels.

    Returns:
        …×(H − 2·radius)×(W − 2·radius) labels in 0 … points·(points − 1) + 2. The last label is that of all
        patterns with more than two changes around the circle. The order is that of scikit-image's
        `nri_uniform`.
    """
    values = images.astype(np.float64)
    height, width = (size - 2 * radius for size in values.shape[-2:])
    centre = values[..., radius : radius + height, radius : radius + width]
    code = np.zeros(centre.shape, np.intp)
    for point in range(points):
        angle = 2 * np.pi * point / points
        down = round(-radius * np.sin(angle), DIGITS) + radius
        right = round(radius * np.cos(angle), DIGITS) + radius
        sampled = _sampled(values, down, right, (height, width))
        code |= (sampled - centre >= -ROUNDING).astype(np.intp) << point
    return uniform_labels(points)[code]


def _sampled(
    values: NDArray[np.float64], down: float, right: float, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the values at a constant distance from each pixel, bilinear."""
    top, left = int(np.floor(down)), int(np.floor(right))
    part_down, part_right = down - top, right - left

    def corner(y: int, x: int) -> NDArray[np.float64]:
        return values[..., y : y + size[0], x : x + size[1]]

    bottom, other = top + (part_down > 0), left + (part_right > 0)
    upper = (1 - part_right) * corner(top, left) + part_right * corner(top, other)
    lower = (1 - part_right) * corner(bottom, left) + part_right * corner(bottom, other)
    sampled: NDArray[np.float64] = (1 - part_down) * upper + part_down * lower
    return sampled


@cache
def uniform_labels(points: int) -> NDArray[np.intp]:
    """Return the label of each of the 2^points patterns; bit p of a pattern is its neighbour p."""
    patterns = np.arange(1 << points)
    bits = patterns[:, None] >> np.arange(points) & 1
    ones = bits.sum(axis=1)
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    # If neighbour 0 is set, the run of ones may begin before it: then it begins after the last zero.
    first_one = bits.argmax(axis=1)
    turned = np.where(first_one == 0, ones - (1 - bits).argmax(axis=1), points - first_one)
    labels: NDArray[np.intp] = 1 + (ones - 1) * points + turned
    labels[ones == 0] = 0
    labels[ones == points] = points * (points - 1) + 1
    labels[changes > 2] = points * (points - 1) + 2
    return labels


def bins(points: int) -> int:
    """Return the number of labels of uniform patterns: 59 for 8 neighbours, 243 for 16."""
    return points * (points - 1) + 3


def histograms(labels: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """Return the share of each of `count` labels in each of B maps of labels: B×count, each row sums to 1."""
    flat = labels.reshape(len(labels), -1)
    shifted = flat + count * np.arange(len(flat))[:, None]
    found = np.bincount(shifted.ravel(), minlength=count * len(flat)).reshape(len(flat), count)
    return found / flat.shape[1]


@dataclass(frozen=True)
class MultiscaleLbp:
    """833 features of a grey crop of 64×64: histograms of LBP^{u2} of two radii and two numbers of neighbours.

    LBP_{8,1} is counted in 3×3 blocks of 30×30 labels, neighbours of which overlap by 14; then LBP_{8,2} and
    LBP_{16,2} over the whole crop.
    """

    kernel: ClassVar[Kernel] = "rbf"
    by_attack: ClassVar[bool] = False

    @property
    def length(self) -> int:
        """Return 833."""
        return 9 * bins(8) + bins(8) + bins(16)

    @property
    def settings(self) -> dict[str, Any]:
        """Return no settings."""
        return {}

    def features(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the features of B×S×S×3 RGB crops: B×833 shares in [0, 1]."""
        image = grey(resized(faces, SIDE))
        fine = lbp(image, 8, 1)
        blocks = [fine[:, y : y + 30, x : x + 30] for y in (0, 16, 32) for x in (0, 16, 32)]
        found = [histograms(block, bins(8)) for block in blocks]
        found += [histograms(lbp(image, points, 2), bins(points)) for points in (8, 16)]
        return np.concatenate(found, axis=1)
