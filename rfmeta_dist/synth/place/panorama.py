"""Paint a room in metres: flat shapes seen by a camera that is turned slightly to the wall."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng
from rfmeta_dist.synth.imaging.tiles import lay_tile

Colour = NDArray[np.floating]
SUBPIXEL = 4  # bits of the fraction of a corner's position
NEAREST = 0.05  # places closer to the camera, or behind it, are drawn at this distance, which is out of view


@dataclass(frozen=True)
class Panorama:
    """Linear radiance H×W×3 that is being painted, with the place of each point.

    Attributes:
        image: the picture, changed in place.
        x, y: metres to the right of the person and above the floor, H×W.
        to_pixels: 3×3 homography from (x, y, 1) to pixel positions.
    """

    image: Image
    x: Image
    y: Image
    to_pixels: NDArray[np.float64]

    def mask(self, corners: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return 255 inside a polygon, N×2 in metres, and 0 elsewhere, H×W."""
        places = np.c_[corners, np.ones(len(corners))] @ self.to_pixels.T
        depth = np.maximum(places[:, 2:], NEAREST)
        pixels = np.round(places[:, :2] / depth * 2**SUBPIXEL).astype(np.int32)
        filled = np.zeros(self.x.shape, np.uint8)
        cv2.fillPoly(filled, [pixels], 255, lineType=cv2.LINE_AA, shift=SUBPIXEL)
        return filled

    def fill(self, corners: NDArray[np.floating], paint: Colour) -> None:
        """Cover a polygon with a colour (3) or a picture (H×W×3)."""
        mask = self.mask(corners)
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            return
        rows, columns = slice(top, top + height), slice(left, left + width)
        weight = mask[rows, columns, None] * np.float32(1 / 255)
        under = self.image[rows, columns]
        over = paint[rows, columns] if paint.ndim == 3 else paint.astype(np.float32)
        under += (over - under) * weight

    def rectangle(self, left: float, bottom: float, right: float, top: float, paint: Colour) -> None:
        """Cover an upright rectangle given in metres."""
        self.fill(np.array([(left, bottom), (right, bottom), (right, top), (left, top)]), paint)

    def ellipse(
        self, centre: tuple[float, float], radii: tuple[float, float], angle: float, paint: Colour
    ) -> None:
        """Cover an ellipse given in metres and turned by `angle` radians."""
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        along, across = radii[0] * np.cos(turn), radii[1] * np.sin(turn)
        cos, sin = np.cos(angle), np.sin(angle)
        self.fill(np.c_[centre[0] + cos * along - sin * across, centre[1] + sin * along + cos * across], paint)

    def dim(self, corners: NDArray[np.floating], factor: float, softness: float) -> None:
        """Multiply by `factor` inside a polygon with an edge `softness` metres soft, as a shadow does."""
        mask = self.mask(corners).astype(np.float32) / 255
        scale = float(np.hypot(*(self.to_pixels[:2, :2] @ np.array([softness, 0.0]))))
        mask = cv2.GaussianBlur(mask, (0, 0), max(scale, 0.5))
        self.light(1.0 + (factor - 1.0) * mask)

    def light(self, factor: Image | float) -> None:
        """Multiply by a factor, a number or H×W."""
        np.multiply(self.image, np.asarray(factor, np.float32)[..., None], out=self.image)

    def clouds(self, rng: Rng, size: float, octaves: int = 3) -> Image:
        """Return smooth noise, zero mean and unit deviation, with features of about `size` metres, H×W."""
        return lay_tile(rng, size, octaves).at(self.x, self.y)
