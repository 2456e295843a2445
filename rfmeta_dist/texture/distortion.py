"""Compute the features of image distortion analysis (IDA): light, colour and blur of a face crop.

Wen, Han and Jain, "Face spoof detection with image distortion analysis", IEEE TIFS 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.texture.api import Kernel
from rfmeta_dist.texture.images import grey, hsv, resized
from rfmeta_dist.texture.specular import specular

Floats = NDArray[np.float64]

LARGEST = 144  # pixels; larger crops are reduced, as the paper normalises faces to 144 rows
COLOURS = 100  # most frequent colours whose shares are features
LEVELS = 32  # of each channel, when colours are counted
COVERED = 0.99  # share of the pixels that the counted colours cover
REBLUR = 9  # pixels over which an image is blurred again
GROUP = 16  # crops whose highlights are separated together


@dataclass(frozen=True)
class Distortion:
    """121 features of a crop: 3 of highlights, 15 of colour, 101 of the diversity of colours, 2 of blur."""

    kernel: ClassVar[Kernel] = "rbf"
    by_attack: ClassVar[bool] = True

    @property
    def length(self) -> int:
        """Return 121."""
        return 3 + 15 + COLOURS + 1 + 2

    @property
    def settings(self) -> dict[str, Any]:
        """Return no settings."""
        return {}

    def features(self, faces: NDArray[np.uint8]) -> Floats:
        """Return the features of B×S×S×3 RGB crops: B×121 numbers.

        The divisors 150, 2000 and 30 are those of the paper's code.
        """
        faces = resized(faces, min(faces.shape[1], LARGEST))
        luma = grey(faces)
        parts = [highlights(faces), chromatic(faces), diversity(faces)]
        return np.concatenate([*parts, reblur(luma)[:, None], edge_width(luma)[:, None] / 30.0], axis=1)


def highlights(faces: NDArray[np.uint8]) -> Floats:
    """Return share, mean / 150 and deviation / 150 of the specular pixels of B×H×W×3 RGB images: B×3.

    A pixel is specular if its specular light is 1.5 to 4 times the image's mean. All three are 0 if none is.
    """
    groups = [specular(faces[start : start + GROUP]) for start in range(0, len(faces), GROUP)]
    light = np.clip(np.concatenate(groups), 0, None).reshape(len(faces), -1)
    mean = light.mean(axis=1, keepdims=True)
    chosen = (light >= 1.5 * mean) & (light < 4.0 * mean)
    count = chosen.sum(axis=1)
    some = np.maximum(count, 1)
    centre = np.where(chosen, light, 0).sum(axis=1) / some
    variance = np.where(chosen, (light - centre[:, None]) ** 2, 0).sum(axis=1) / some
    return np.stack([count / light.shape[1], centre / 150.0, np.sqrt(variance) / 150.0], axis=1)


def chromatic(faces: NDArray[np.uint8]) -> Floats:
    """Return five numbers of each of hue, saturation and value of B×H×W×3 RGB images: B×15.

    They are mean, deviation, skewness (0 if all values are equal), and the shares of pixels in the two lowest
    and the two highest of 20 bins. The bins have centres 0.05, 0.10 … 1, and the first and last are open, as
    MATLAB's. The hue is turned by half a circle, so that red, which skin is near to, does not lie at the seam.
    """
    channels = hsv(faces).reshape(len(faces), -1, 3)
    turned = channels[..., 0] + 0.5
    channels[..., 0] = np.where(turned > 1.0, turned - 1.0, turned)
    mean = channels.mean(axis=1)
    away = channels - mean[:, None]
    deviation = np.sqrt((away**2).mean(axis=1))
    flat = deviation < 1e-12  # rounding of the mean alone
    skewness = np.where(flat, 0.0, (away**3).mean(axis=1) / np.where(flat, 1.0, deviation) ** 3)
    low, high = (channels < 0.125).mean(axis=1), (channels >= 0.925).mean(axis=1)
    return np.stack([mean, deviation, skewness, low, high], axis=-1).reshape(len(faces), 15)


def diversity(faces: NDArray[np.uint8]) -> Floats:
    """Return the shares of the 100 most frequent colours of B×H×W×3 RGB images, and their number: B×101.

    Colours are counted at 32 levels of each channel. The number is how many of the most frequent colours are
    needed to cover 99 % of the pixels, less one, / 2000.
    """
    level = faces.reshape(len(faces), -1, 3).astype(np.intp) // (256 // LEVELS)
    colour = (level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]
    found = np.zeros((len(faces), COLOURS + 1))
    for row, pixels in zip(found, colour, strict=True):
        share = np.sort(np.unique(pixels, return_counts=True)[1])[::-1] / len(pixels)
        row[: min(COLOURS, len(share))] = share[:COLOURS]
        row[COLOURS] = np.argmax(np.cumsum(share) > COVERED) / 2000.0
    return found


def reblur(images: NDArray[np.uint8]) -> Floats:
    """Return how little B×H×W grey images lose if they are blurred again: B numbers in [0, 1], 1 is blurred.

    Crete et al., "The blur effect", SPIE 2007: the share of the steps between neighbours that is left after a
    mean over 9 pixels; the larger one of both directions. Only rising steps count, the mean is taken across the
    direction of the steps, and pixels outside of the image are 0: so does the published code of these features
    (Bob). It is 1 for an image without steps.
    """
    values = images.astype(np.float64)
    found = [_left(values, axis) for axis in (1, 2)]
    most: Floats = np.maximum(*found)
    return most


def _left(values: Floats, axis: int) -> Floats:
    rising = np.clip(np.diff(values, axis=axis), 0, None)
    blurred = np.abs(np.diff(_mean_along(values, 3 - axis), axis=axis))
    lost = np.clip(rising - blurred, 0, None)
    whole = rising.sum(axis=(1, 2))
    left: Floats = np.where(whole > 0, 1.0 - lost.sum(axis=(1, 2)) / np.where(whole > 0, whole, 1.0), 1.0)
    return left


def _mean_along(values: Floats, axis: int) -> Floats:
    """Return the mean over 9 neighbours along an axis; pixels outside are 0."""
    edge = [(0, 0)] * 3
    edge[axis] = (REBLUR // 2 + 1, REBLUR // 2)
    sums = np.cumsum(np.pad(values, edge), axis=axis)  # whole numbers, so no rounding adds up
    length = values.shape[axis]
    upper = np.take(sums, np.arange(REBLUR, REBLUR + length), axis=axis)
    lower = np.take(sums, np.arange(length), axis=axis)
    mean: Floats = (upper - lower) / REBLUR
    return mean


def edge_width(images: NDArray[np.uint8]) -> Floats:
    """Return the mean width of the vertical edges of B×H×W grey images in pixels: B numbers, 0 without edges.

    Marziliano et al., "A no-reference perceptual blur metric", ICIP 2002: from each edge, the brightness is
    followed along the row to the left and to the right as long as it goes on falling, or rising. The edges are
    pixels whose squared horizontal Sobel response is above four times the image's mean and largest among its
    neighbours in the row; the paper's code takes MATLAB's edges, which may differ.
    """
    values = images.astype(np.int64)
    edges = _edges(values)
    width = _run_end(values) - _run_start(values)
    count = edges.sum(axis=(1, 2))
    found: Floats = np.where(edges, width, 0).sum(axis=(1, 2)) / np.maximum(count, 1)
    return found


def _edges(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    smooth = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    strength = (smooth[..., 2:] - smooth[..., :-2]) ** 2
    beside = np.pad(strength, ((0, 0), (0, 0), (1, 1)))
    strong = strength > 4.0 * strength.mean(axis=(1, 2), keepdims=True)
    found: NDArray[np.bool_] = strong & (beside[..., :-2] < strength) & (strength >= beside[..., 2:])
    return found


def _run_start(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each pixel the column at which the slope to its left ends; 0 in the first column."""
    step = np.diff(values, axis=2)  # step[x] leads from x to x + 1
    columns = np.arange(values.shape[2])
    # From column c − 1 leftwards, a falling walk ends where the next value is higher, a rising one where it is
    # lower. The walk falls if the pixel itself is higher than its left neighbour.
    ends = [np.pad(stop, ((0, 0), (0, 0), (1, 0)), constant_values=True) for stop in (step < 0, step > 0)]
    falling, rising = (np.maximum.accumulate(np.where(end, columns, 0), axis=2) for end in ends)
    found = np.zeros(values.shape, np.intp)
    found[..., 1:] = np.where(step > 0, falling[..., :-1], rising[..., :-1])
    return found


def _run_end(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return for each pixel the column at which the slope to its right ends; the last in the last column."""
    last: int = values.shape[2] - 1
    end: NDArray[np.intp] = last - _run_start(values[..., ::-1])[..., ::-1]
    return end
