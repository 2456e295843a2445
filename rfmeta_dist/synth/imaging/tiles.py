"""Make noise that is fixed to a surface: a repeating tile, sampled at places on a wall or a sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.imaging.texture import Image, Rng

KEPT = 8  # tiles drawn once per process for each number of octaves; each can lie in eight orientations …
LARGE = 512  # … and its side in pixels lets the finest grain of a sheet repeat only after 80 samples


@dataclass(frozen=True)
class Tile:
    """A square of noise that repeats in both directions.

    Attributes:
        image: N×N with zero mean and unit deviation.
        side: its length in the units of the surface that it lies on.
        shift: how far it is moved right and down, in tiles.
        flip: for right and down: 1, or −1 where the tile is mirrored.
        turned: True if the tile's rows lie along the surface's columns.
    """

    image: Image
    side: float
    shift: tuple[float, float] = (0.0, 0.0)
    flip: tuple[int, int] = (1, 1)
    turned: bool = False

    def at(self, x: Image, y: Image) -> Image:
        """Return the noise at places in the units of `side`, of any shape; zero mean and unit deviation."""
        size = self.image.shape[0]
        column, row = (
            (place * np.float32(flip * size / self.side) + np.float32(shift * size)).astype(
                np.float32, copy=False
            )
            for place, flip, shift in zip((x, y), self.flip, self.shift, strict=True)
        )
        where = (row, column) if self.turned else (column, row)
        values: Image = cv2.remap(self.image, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return values


def draw_tile(rng: Rng, feature: float, octaves: int = 1, resolution: int = 256) -> Tile:
    """Make a random tile.

    Args:
        rng: random generator.
        feature: length of its largest features, about, in any unit; the tile's `side` has the same unit.
        octaves: number of sizes of features; each is half as long as the one before.
        resolution: side of its image in pixels.
    """
    total = np.zeros((resolution, resolution), np.float32)
    coarsest = 1.2 * 2 ** (octaves - 1)
    for octave in range(octaves):
        sigma = coarsest / 2**octave
        white = rng.standard_normal((resolution, resolution), dtype=np.float32)
        soft = cv2.GaussianBlur(np.pad(white, 16, mode="wrap"), (0, 0), sigma)[16:-16, 16:-16]
        total += soft / soft.std() * 0.6**octave
    total = (total - total.mean()) / total.std()
    return Tile(total, feature * resolution / (4.0 * coarsest))


def lay_tile(rng: Rng, feature: float, octaves: int = 1) -> Tile:
    """Return one of a few shared tiles, moved, mirrored and turned at random; cheaper than `draw_tile`."""
    number, right, down, way = rng.random(4).tolist()
    tile = _kept(octaves, int(number * KEPT))
    way = int(way * 8)
    flip = 1 - 2 * (way & 1), 1 - (way & 2)
    return replace(tile, side=tile.side * feature, shift=(right, down), flip=flip, turned=way >= 4)


@cache
def _kept(octaves: int, number: int) -> Tile:
    """Return a cached tile with features of unit size, the same in every process."""
    return draw_tile(generator("tile", octaves, number), 1.0, octaves, LARGE)
