"""Image arithmetic that the painters share: coordinate grids, soft steps, blobs and noise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# H×W or H×W×3, linear light unless said otherwise. At run time it is float32; numpy's stubs do not track that.
Image = NDArray[np.floating[Any]]
Rng = np.random.Generator
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def grid(resolution: int, extent: float = 1.0) -> tuple[Image, Image]:
    """Return pixel-centre coordinates x (right) and y (down) over [−extent, extent]², each R×R."""
    step = 2.0 * extent / resolution
    axis = (np.arange(resolution, dtype=np.float32) + 0.5) * step - extent
    x, y = np.meshgrid(axis, axis)
    return x.astype(np.float32), y.astype(np.float32)


def step(low: float | Image, high: float | Image, value: Image) -> Image:
    """Return a smooth ramp from 0 to 1 as `value` goes from `low` to `high` (from 1 to 0 if `low` > `high`)."""
    t = np.asarray((value - low) / (high - low), np.float32)
    np.clip(t, 0.0, 1.0, out=t)
    ramp: Image = np.float32(3.0) - np.float32(2.0) * t
    ramp *= t
    ramp *= t
    return ramp


def blob(x: Image, y: Image, centre: tuple[float, float], radius: tuple[float, float]) -> Image:
    """Return a Gaussian of height 1 at `centre` that falls to 1/e at `radius`."""
    bump: Image = np.exp(-(((x - centre[0]) / radius[0]) ** 2) - ((y - centre[1]) / radius[1]) ** 2)
    return bump


def pair(x: Image, y: Image, centre: tuple[float, float], radius: tuple[float, float]) -> Image:
    """Return a blob and its mirror image across x = 0, because most parts of a face come in pairs."""
    return blob(np.abs(x), y, centre, radius)


def mix(base: Image, top: Image, weight: Image) -> Image:
    """Return `base` covered by `top` (an image or a colour) with the opacity `weight`, H×W in [0, 1]."""
    mixed: Image = base + (top - base) * thrice(weight)
    return mixed


def thrice(grey: Image) -> Image:
    """Return a picture H×W as three equal channels H×W×3; numpy's own broadcasting is slower."""
    channels: Image = cv2.merge([grey, grey, grey])
    return channels


def tinted(image: Image, colour: NDArray[np.floating[Any]]) -> Image:
    """Multiply a picture H×W×3 by a colour, as `image * colour` but faster."""
    red, green, blue = colour.tolist()
    tint: Image = cv2.multiply(image, (red, green, blue, 1.0))
    return tint


def length(vectors: Image) -> Image:
    """Return the lengths H×W of vectors H×W×3."""
    lengths: Image = np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))
    return lengths


def blur(image: Image, sigma: float) -> Image:
    """Apply a Gaussian blur of `sigma` pixels. Below a tenth of a pixel, the picture is not changed."""
    if sigma < 0.1:
        return image
    blurred: Image = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred


def resize(image: Image, width: int, height: int | None = None) -> Image:
    """Resample to width×height: by averaging when shrinking, bilinearly when growing."""
    mode = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    resized: Image = cv2.resize(image, (width, height or width), interpolation=mode)
    return resized


def noise(rng: Rng, shape: tuple[int, int], cells: float, octaves: int = 1) -> Image:
    """Return smooth noise with zero mean and about unit deviation; `cells` = features across the width.

    Whatever the shape, it takes one draw from `rng`, so that later draws do not depend on the shape.
    """
    height, width = shape
    rng = np.random.Generator(np.random.Philox(key=int(rng.integers(1 << 63))))
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        columns = max(2, min(width, round(cells * 2**octave)))
        rows = max(2, min(height, round(cells * 2**octave * height / width)))
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.6**octave
    centred: Image = (total - total.mean()) / (total.std() + 1e-6)
    return centred


def sample(image: Image, column: Image, row: Image) -> Image:
    """Return `image` at pixel positions, interpolated bilinearly. Its edge is extended outwards."""
    where = column.astype(np.float32, copy=False), row.astype(np.float32, copy=False)
    samples: Image = cv2.remap(image, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return samples


def luminance(image: Image) -> Image:
    """Return the relative luminance, H×W, of linear RGB."""
    result: Image = image @ LUMA
    return result


def encode_srgb(linear: Image) -> Image:
    """Convert linear light [0, 1] to display values [0, 1], by a plain 2.2 power so that it can be inverted."""
    encoded: Image = np.power(np.clip(linear, 0.0, 1.0), 1.0 / 2.2, dtype=np.float32)
    return encoded


def decode_srgb(encoded: Image) -> Image:
    """Convert display values [0, 1] to linear light [0, 1]."""
    linear: Image = np.power(np.clip(encoded, 0.0, 1.0), 2.2, dtype=np.float32)
    return linear
