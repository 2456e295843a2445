"""Compute what varies slowly at fewer pixels, and interpolate it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, blur


def wide_blur(image: Image, sigma: float) -> Image:
    """Blur as `texture.blur`, but on a coarser grid if `sigma`, in pixels, is large."""
    few = int(sigma / 2.5)
    if few < 2:
        return blur(image, sigma)
    height, width = image.shape[:2]
    small = cv2.resize(image, (-(-width // few), -(-height // few)), interpolation=cv2.INTER_AREA)
    # Averaging and interpolation blur the image by about half a coarse pixel, so sigma is reduced by that.
    rest = (max((sigma / few) ** 2 - 0.25, 0.25)) ** 0.5
    blurred = cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)
    wide: Image = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return wide


def coarsely(field: Callable[[Image, Image], Image], u: Image, v: Image, few: int) -> Image:
    """Evaluate a smooth function of coordinate images, H×W each, at every `few`-th pixel, and interpolate."""
    if few < 2:
        return field(u, v).astype(np.float32)
    height, width = u.shape
    size = -(-width // few), -(-height // few)
    small = field(*(cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (u, v)))
    fine: Image = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return fine
