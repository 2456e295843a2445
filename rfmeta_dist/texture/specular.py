"""Separate the specular from the diffuse part of colour images.

Tan and Ikeuchi, "Separating reflection components of textured surfaces using a single image", PAMI 2005. A
pixel is specular if the step of brightness to its neighbour differs from that in the image without highlights.
The pixel or the neighbour then gets the chromaticity of the other, and both are diffuse from then on.

The algorithm visits the pixels row by row. Here they are visited by diagonals, in many images at a time. The
result is the same: a visit changes the pixel itself, the one to its right or the one below, and two pixels can
change the same one out of order only if both lie on one diagonal. There the upper one, which changes what is
below, goes first, as in the order by rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]  # image, row, column

THRESHOLDS = (0.06, 0.05, 0.04, 0.03, 0.02, 0.01)  # of IDA; the published code stops before 0 by rounding
DARK_BELOW = 10.0  # a pixel with all channels below this is left alone
CHROMA = 0.6  # maximum chromaticity of the image without highlights
BOUNDARY_ABOVE = 0.1  # difference of both red and green chromaticity at an edge of materials
NOISE_BELOW = 0.01  # difference of maximum chromaticity that is no highlight
LEAST = 1e-9  # divisors below this are taken as 0

# States of a pixel.
UNKNOWN, ACROSS, DOWN, DIFFUSE, BOUNDARY, NOISE, DARK = range(7)
_SETTLED = (DIFFUSE, BOUNDARY, NOISE, DARK)


def specular(faces: NDArray[np.uint8]) -> Floats:
    """Return how much light of B×H×W×3 RGB images is specular: B×H×W, in grey levels; it may be below 0."""
    work = _Separation(faces.astype(np.float64))
    for threshold in THRESHOLDS:
        work.lower_to(threshold)
    return faces[..., 0] - work.rgb[..., 0]


@dataclass
class _Chroma:
    """Colours of all pixels at the beginning of a pass: what the algorithm compares while it changes them."""

    largest: Floats
    total: Floats
    most: Floats  # the largest chromaticity

    @classmethod
    def of(cls, rgb: Floats) -> _Chroma:
        largest, total = rgb.max(axis=-1), rgb.sum(axis=-1)
        return cls(largest, total, _ratio(largest, total))


class _Separation:
    """Images from which highlights are taken, step by step.

    Args:
        rgb: B×H×W×3; it is changed.
    """

    def __init__(self, rgb: Floats) -> None:
        self.rgb = rgb
        self._state = np.where((rgb < DARK_BELOW).all(axis=-1), DARK, UNKNOWN).astype(np.int8)
        free = _without_highlights(rgb).sum(axis=-1)
        self._steps = _log_steps(free, 2), _log_steps(free, 1)
        height, width = rgb.shape[1:3]
        self._diagonals = [
            (rows, d - rows)
            for d in range(height + width - 3)
            if len(rows := np.arange(max(0, d - width + 2), min(d, height - 2) + 1))
        ]

    def lower_to(self, threshold: float) -> None:
        """Make specular pixels diffuse, at one threshold, as long as their number falls."""
        left = np.arange(len(self.rgb))
        count = self._label(left, threshold)
        while len(left):
            self._pass(left)
            now = self._label(left, threshold)
            going = (now > 0) & (now < count)
            left, count = left[going], now[going]
        self._state[self._state != DARK] = UNKNOWN

    def _label(self, images: NDArray[np.intp], threshold: float) -> NDArray[np.intp]:
        """Mark specular pixels of some images, and return how many pixels of each are specular now."""
        total = self.rgb[images].sum(axis=-1)
        state = self._state[images]
        inner = (slice(None), slice(1, -1), slice(1, -1))
        with np.errstate(invalid="ignore"):  # both steps are 0, and −∞ − −∞ is no number: no highlight
            across = np.abs(_log_steps(total, 2) - self._steps[0][images])[:, 1:-1, 1:] > threshold
            down = np.abs(_log_steps(total, 1) - self._steps[1][images])[:, 1:, 1:-1] > threshold
        before = state[inner]
        found = np.where(across, ACROSS, np.where(down, DOWN, DIFFUSE))
        state[inner] = np.where(np.isin(before, _SETTLED), before, found)
        self._state[images] = state
        marked: NDArray[np.intp] = np.isin(state[inner], (ACROSS, DOWN)).sum(axis=(1, 2))
        return marked

    def _pass(self, images: NDArray[np.intp]) -> None:
        """Visit all specular pixels of some images."""
        chroma = _Chroma.of(self.rgb)
        ratios = _ratio(self.rgb[..., :2], chroma.total[..., None])
        for rows, columns in self._diagonals:
            state = self._state[images[:, None], rows, columns]
            for way, (down, right) in ((DOWN, (1, 0)), (ACROSS, (0, 1))):
                image, place = np.nonzero(state == way)
                if len(image):
                    here = images[image], rows[place], columns[place]
                    there = here[0], here[1] + down, here[2] + right
                    self._visit(here, there, chroma, ratios)

    def _visit(self, here: Indices, there: Indices, chroma: _Chroma, ratios: Floats) -> None:
        edge = (np.abs(ratios[there] - ratios[here]) > BOUNDARY_ABOVE).all(axis=-1)
        noise = ~edge & (np.abs(chroma.most[here] - chroma.most[there]) < NOISE_BELOW)
        self._state[here] = np.where(edge, BOUNDARY, np.where(noise, NOISE, DIFFUSE))
        kept = ~(edge | noise)
        here, there = _only(here, kept), _only(there, kept)
        self._state[there] = DIFFUSE
        first = chroma.most[here] < chroma.most[there]
        changed = _chosen(first, here, there)
        self._take(changed, chroma, chroma.most[_chosen(first, there, here)])

    def _take(self, pixels: Indices, chroma: _Chroma, wanted: Floats) -> None:
        """Take as much white light from pixels that their largest chromaticity becomes the wanted one."""
        most = chroma.most[pixels]
        divisor = most * (3.0 * wanted - 1.0)
        usable = np.abs(divisor) > LEAST
        diffuse = chroma.largest[pixels] * (3.0 * most - 1.0) / np.where(usable, divisor, 1.0)
        rgb = self.rgb[pixels] - ((chroma.total[pixels] - diffuse) / 3.0)[:, None]
        usable &= (rgb >= 0).all(axis=-1)
        self.rgb[_only(pixels, usable)] = rgb[usable]


def _without_highlights(rgb: Floats) -> Floats:
    """Return the image in which every pixel has the same largest chromaticity, in 0 … 255."""
    chroma = _Chroma.of(rgb)
    diffuse = _ratio(chroma.largest * (3.0 * chroma.most - 1.0), chroma.most * (3.0 * CHROMA - 1.0))
    return np.clip(rgb - ((chroma.total - diffuse) / 3.0)[..., None], 0.0, 255.0)


def _log_steps(values: Floats, axis: int) -> Floats:
    """Return the logarithms of the steps between neighbours; −∞ where there is no step."""
    with np.errstate(divide="ignore"):
        logarithms: Floats = np.log(np.abs(np.diff(values, axis=axis)))
    return logarithms


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where the whole is 0."""
    ratio: Floats = np.where(whole == 0, 0.0, part / np.where(whole == 0, 1.0, whole))
    return ratio


def _only(pixels: Indices, wanted: NDArray[np.bool_]) -> Indices:
    return pixels[0][wanted], pixels[1][wanted], pixels[2][wanted]


def _chosen(first: NDArray[np.bool_], one: Indices, other: Indices) -> Indices:
    return one[0], np.where(first, one[1], other[1]), np.where(first, one[2], other[2])
