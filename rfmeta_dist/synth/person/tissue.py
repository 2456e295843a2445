"""Make the fine structure of skin in its true size: pores, fine lines between them, and uneven pigment.

A patch is made once per process and laid over every person, at a different random place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.imaging.texture import Image, Rng
from rfmeta_dist.synth.person.canvas import Canvas

SIDE = 1.25  # face units across the patch, about 19 cm
PIXELS = 448  # across the patch as it is made
PORE = 0.0085  # spacing of pores, 1.3 mm
ROUGH = 1.25  # amplitude of uneven pigment falls with spatial frequency to this power
DIRECTIONS = 3  # in which fine lines run


@dataclass(frozen=True)
class Tissue:
    """Maps that repeat in both directions, P×P each.

    Attributes:
        pores: 0 to 1, 1 in the middle of a large pore.
        net: lines between the fields of skin, zero mean and unit deviation, high on a field.
        mottle: unevenness of all sizes, zero mean and unit deviation.
    """

    pores: Image
    net: Image
    mottle: Image


def lay(image: Image, canvas: Canvas, rng: Rng) -> Image:
    """Lay a map of `Tissue` over a canvas, from a random corner, perhaps mirrored; one draw from `rng`."""
    place = int(rng.integers(1 << 62))
    side = image.shape[0]
    rows = np.arange(canvas.size[0]) + canvas.corner[0] + place % side
    columns = np.arange(canvas.size[1]) + canvas.corner[1] + place // side % side
    laid: Image = image[np.ix_(rows % side, columns % side)]
    return laid


@lru_cache(maxsize=4)
def tissue(resolution: int) -> Tissue:
    """Return the patch at the pixels of a canvas of N×N, `resolution` = N."""
    size = max(8, round(resolution * SIDE / 2 / EXTENT))
    mode = cv2.INTER_AREA if size < PIXELS else cv2.INTER_LINEAR
    whole = _patch()
    return Tissue(*(cv2.resize(each, (size, size), interpolation=mode) for each in whole))


@cache
def _patch() -> tuple[Image, Image, Image]:
    rng = generator("tissue")
    return _pores(rng), _net(rng), _mottle(rng)


def _pores(rng: Rng) -> Image:
    """Return round pits of many sizes on a jittered grid."""
    count = round(SIDE / PORE)
    cell = PIXELS / count
    row, column = np.mgrid[0:count, 0:count]
    jitter = rng.uniform(0.1, 0.9, (2, count, count))
    places = (np.stack([row, column]) + jitter) * cell
    depth = rng.uniform(0.15, 1.0, (count, count)) ** 2
    pits = np.zeros((PIXELS, PIXELS), np.float32)
    whole = np.floor(places).astype(int)
    part = places - whole
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - part[0]) * np.abs(1 - right - part[1])
            np.add.at(pits, ((whole[0] + down) % PIXELS, (whole[1] + right) % PIXELS), depth * weight)
    around = cv2.GaussianBlur(np.pad(pits, 16, mode="wrap"), (0, 0), 0.7)[16:-16, 16:-16]
    round_pits: Image = np.clip(around * 3.0, 0.0, 1.0).astype(np.float32)
    return round_pits


def _net(rng: Rng) -> Image:
    """Return fine lines in a few directions, which leave small fields between them."""
    total = np.zeros((PIXELS, PIXELS), np.float32)
    down, across = np.meshgrid(np.fft.fftfreq(PIXELS), np.fft.rfftfreq(PIXELS), indexing="ij")
    for turn in range(DIRECTIONS):
        angle = np.pi * (turn + 0.3) / DIRECTIONS
        along = across * np.cos(angle) + down * np.sin(angle)
        beside = down * np.cos(angle) - across * np.sin(angle)
        # Each line is long in one direction, and a millimetre or two wide in the other.
        passed = np.exp(-(((np.abs(beside) - 0.16) / 0.09) ** 2) - (along / 0.06) ** 2)
        waves = _filtered(rng, passed)
        total -= np.exp(-np.abs(waves / waves.std()) * 1.6).astype(np.float32)
    return _centred(cv2.GaussianBlur(np.pad(total, 8, mode="wrap"), (0, 0), 0.6)[8:-8, 8:-8])


def _mottle(rng: Rng) -> Image:
    radius = PIXELS * np.hypot(*np.meshgrid(np.fft.fftfreq(PIXELS), np.fft.rfftfreq(PIXELS), indexing="ij"))
    strength = np.maximum(radius, 5.0) ** -ROUGH
    strength[radius < 3.0] = 0.0
    return _centred(_filtered(rng, strength))


def _filtered(rng: Rng, passed: Image) -> Image:
    """Return white noise filtered by a gain for each frequency, P×(P/2+1)."""
    waves: Image = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((PIXELS, PIXELS))) * passed)
    return waves


def _centred(image: Image) -> Image:
    centred: Image = ((image - image.mean()) / image.std()).astype(np.float32)
    return centred
