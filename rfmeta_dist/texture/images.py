"""Resize face crops and convert their colours. All results are 8-bit, so features start from whole numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def resized(faces: Pixels, side: int) -> Pixels:
    """Return B×S×S×3 crops as B×side×side×3, each pixel the mean over its area; rounded.

    A crop that is smaller than `side` is enlarged by the same rule, so its pixels become blocks.
    """
    if faces.shape[1] == side:
        return faces
    weights = _weights(faces.shape[1], side)
    planes = np.moveaxis(faces, -1, 1).astype(np.float64)
    return _rounded(np.moveaxis(weights @ planes @ weights.T, 1, -1))


@cache
def _weights(before: int, after: int) -> NDArray[np.float64]:
    """Return the after×before matrix whose rows hold the shares of the old pixels in each new one."""
    edges = np.arange(after + 1) * (before / after)
    first, last = edges[:-1, None], edges[1:, None]
    pixel = np.arange(before)[None, :]
    shared = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0, None)
    weights: NDArray[np.float64] = shared / shared.sum(axis=1, keepdims=True)
    return weights


def grey(faces: Pixels) -> Pixels:
    """Return the luma of B×S×S×3 RGB crops (ITU-R BT.601): B×S×S in 0 … 255."""
    return _rounded(_luma(faces.astype(np.float64)))


def hsv(faces: Pixels) -> NDArray[np.float64]:
    """Return hue, saturation and value of B×S×S×3 RGB crops in [0, 1]; hue 1 is never reached, as it is 0.

    The hue of a grey pixel is 0.
    """
    rgb = faces.astype(np.float64)
    red, green, blue = np.moveaxis(rgb, -1, 0)
    value = rgb.max(axis=-1)
    spread = value - rgb.min(axis=-1)
    some = np.where(spread > 0, spread, 1.0)
    sixths = np.where(
        value == red,
        (green - blue) / some,
        np.where(value == green, 2.0 + (blue - red) / some, 4.0 + (red - green) / some),
    )
    hue = np.where(spread > 0, sixths / 6.0 % 1.0, 0.0)
    saturation = spread / np.where(value > 0, value, 1.0)
    return np.stack([hue, saturation, value / 255.0], axis=-1)


def six_channels(faces: Pixels) -> Pixels:
    """Return hue, saturation, value, Y, Cb and Cr of B×S×S×3 RGB crops: B×S×S×6 in 0 … 255.

    The hue has 256 steps around the circle. OpenCV's default has 180, and its order is Y, Cr, Cb.
    """
    found = hsv(faces)
    hue = np.rint(found[..., :1] * 256.0) % 256.0
    rgb = faces.astype(np.float64)
    luma = _luma(rgb)
    # BT.601 for the full range, as in JPEG: (B − Y) / (2 − 2·0.114), and the same with R.
    chroma = [128.0 + (rgb[..., 2] - luma) / 1.772, 128.0 + (rgb[..., 0] - luma) / 1.402]
    others = np.stack([luma, *chroma], axis=-1)
    return _rounded(np.concatenate([hue, found[..., 1:] * 255.0, others], axis=-1))


def _luma(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    luma: NDArray[np.float64] = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
    return luma


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
