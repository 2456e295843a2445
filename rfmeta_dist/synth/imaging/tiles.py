"""Noise that stays where it is: a tile that repeats, sampled at places on a wall or a sheet."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng


@dataclass(frozen=True)
class Tile:
    """A square of noise, N×N with zero mean and unit deviation, `side` long in the units of its surface."""

    image: Image
    side: float

    def at(self, x: Image, y: Image) -> Image:
        """The noise at places, any shape; the tile repeats in both directions."""
        pixels = np.float32(self.image.shape[0] / self.side)
        where = (x * pixels).astype(np.float32), (y * pixels).astype(np.float32)
        values: Image = cv2.remap(self.image, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return values


def draw_tile(rng: Rng, feature: float, resolution: int = 256, octaves: int = 1) -> Tile:
    """A tile whose largest features are about `feature` long; each octave halves them."""
    total = np.zeros((resolution, resolution), np.float32)
    coarsest = 1.2 * 2 ** (octaves - 1)
    for octave in range(octaves):
        sigma = coarsest / 2**octave
        white = rng.standard_normal((resolution, resolution), dtype=np.float32)
        soft = cv2.GaussianBlur(np.pad(white, 16, mode="wrap"), (0, 0), sigma)[16:-16, 16:-16]
        total += soft / soft.std() * 0.6**octave
    total = (total - total.mean()) / total.std()
    return Tile(total, feature * resolution / (4.0 * coarsest))
