"""The surface that painters work on: all images of a bust while it is painted, and windows into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.anatomy import EXTENT
from rfmeta_dist.synth.head.head import Head
from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.strands import brush, strokes
from rfmeta_dist.synth.imaging.texture import Image, grid, resize, step

HAIR = 0.0028  # width of a drawn hair, face units
PAINTED = ("albedo", "height", "gloss", "body", "skin")
AXES = ("x", "y", "u", "v")


@dataclass(frozen=True)
class Layer:
    """Something that is worn, given on the window of a canvas; it covers nothing outside this window.

    Attributes:
        albedo, cover, height, gloss: H×W×3, and H×W or a number; as in `Canvas`.
        corner: row and column of the window within the whole canvas.
    """

    albedo: Image
    cover: Image
    height: Image
    gloss: Image | float
    corner: tuple[int, int]


@dataclass(frozen=True)
class Canvas:
    """Images of one size, changed in place.

    Attributes:
        head: the shape of the person's head, over the whole canvas.
        x, y: face coordinates of the pixels.
        u, v: template coordinates of the pixels.
        albedo: H×W×3 in linear light.
        height: H×W in face units.
        gloss: H×W in [0, 1].
        body: H×W in [0, 1], 0 where there is only background.
        skin: H×W in [0, 1], where skin is bare.
        corner: row and column of the window within the whole canvas.
    """

    head: Head
    x: Image
    y: Image
    u: Image
    v: Image
    albedo: Image
    height: Image
    gloss: Image
    body: Image
    skin: Image
    corner: tuple[int, int] = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        return self.x.shape[0], self.x.shape[1]

    @property
    def pixel(self) -> float:
        """Return the face units per pixel."""
        return 2.0 * EXTENT / float(self.head.cover.shape[0])

    def rows(self, first: float, last: float) -> Canvas:
        """Return the part of this whole canvas between two heights in face coordinates, sharing its memory."""
        top, bottom = (int((y + EXTENT) / self.pixel) for y in (first, last))
        part = slice(max(0, top), min(self.size[0], bottom))
        images: dict[str, Any] = {name: getattr(self, name)[part] for name in (*AXES, *PAINTED)}
        return replace(self, corner=(part.start, 0), **images)

    def window(self, around: NDArray[np.floating], margin: float) -> Canvas:
        """Return the part of the canvas around template points K×2, sharing its memory."""
        points, corner = self.head.at(around), np.array(self.corner[::-1])
        low = np.maximum((points.min(0) - margin + EXTENT) / self.pixel - corner, 0).astype(int)
        high = ((points.max(0) + margin + EXTENT) / self.pixel).astype(int) + 1 - corner
        part = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        views = {name: getattr(self, name)[part] for name in (*AXES, *PAINTED)}
        return replace(self, corner=(self.corner[0] + int(low[1]), self.corner[1] + int(low[0])), **views)

    def copy(self) -> Canvas:
        """Return the same canvas with images of its own."""
        return replace(self, **{name: getattr(self, name).copy() for name in PAINTED})

    def resized(self, resolution: int) -> Canvas:
        """Return this whole canvas at N×N."""
        head = replace(self.head, cover=resize(self.head.cover, resolution))
        images: dict[str, Any] = {n: resize(getattr(self, n), resolution) for n in (*AXES, *PAINTED)}
        return replace(self, head=head, **images)

    def tint(self, factor: Image | float, amount: Image) -> None:
        """Multiply the albedo by a colour, with strength `amount`, H×W in [0, 1]."""
        lost = np.broadcast_to(np.asarray(factor, np.float32) - np.float32(1.0), (3,))
        for channel in range(3):
            self.albedo[..., channel] *= np.float32(1.0) + lost[channel] * amount

    def cover(self, colour: Image, amount: Image) -> None:
        """Lay a colour, or an image of colours, over the albedo."""
        self.albedo[...] += (colour - self.albedo) * amount[..., None]

    def part(self) -> tuple[slice, slice]:
        """Return rows and columns of the window within the whole canvas."""
        (row, column), (rows, columns) = self.corner, self.size
        return slice(row, row + rows), slice(column, column + columns)

    def firmness(self, layer: Layer) -> Image:
        """Return how far a layer's height replaces that of this whole canvas, in [0, 1] on its window."""
        (row, column), (rows, columns) = layer.corner, layer.cover.shape
        body = self.body[row : row + rows, column : column + columns]
        # Beside the body there is no height to blend with, so the layer's height counts from a low cover on.
        # The cover is blurred, so that the height does not jump from strand to strand.
        beside = step(0.0, 0.1, wide_blur(layer.cover, 0.02 / self.pixel))
        return np.where(body > 0.5, step(0.1, 0.7, wide_blur(layer.cover, 0.008 / self.pixel)), beside)

    def wear(self, layer: Layer, firm: Image) -> None:
        """Put a layer, with its `firmness` on the whole canvas, over everything."""
        (row, column), (rows, columns) = self.corner, self.size
        top, left = max(row, layer.corner[0]), max(column, layer.corner[1])
        bottom = min(row + rows, layer.corner[0] + layer.cover.shape[0])
        right = min(column + columns, layer.corner[1] + layer.cover.shape[1])
        if top >= bottom or left >= right:
            return
        here = slice(top - row, bottom - row), slice(left - column, right - column)
        down, across = layer.corner
        there = slice(top - down, bottom - down), slice(left - across, right - across)
        cover, gloss = layer.cover[there], layer.gloss if isinstance(layer.gloss, float) else layer.gloss[there]
        # Where there is only background, its undefined colour must not be visible through a thin cover.
        above = cover / np.maximum(cover + self.body[here] * (1.0 - cover), np.float32(1e-3))
        self.albedo[here] += (layer.albedo[there] - self.albedo[here]) * above[..., None]
        self.height[here] += (layer.height[there] - self.height[here]) * firm[there]
        self.gloss[here] += (gloss - self.gloss[here]) * above
        np.maximum(self.body[here], cover, out=self.body[here])
        self.skin[here] *= np.float32(1.0) - cover

    def lines(self, paths: NDArray[np.floating], width: float = 0.0) -> Image:
        """Return the cover of hair-thin lines K×P×2 in template coordinates, blurred by `width` face units."""
        points = self.head.at(paths.reshape(-1, 2)).reshape(paths.shape)
        alpha = strokes(self._pixels(points), self.size, self.fine)
        return wide_blur(alpha, width / self.pixel) if width else alpha

    def hairs(self, paths: NDArray[np.floating], tone: NDArray[np.floating]) -> tuple[Image, Image]:
        """Return tone and cover of lines K×P×2 in template coordinates, each with a grey value in [0, 1]."""
        points = self.head.at(paths.reshape(-1, 2)).reshape(paths.shape)
        return brush(self._pixels(points), tone, self.size, self.fine)

    @property
    def fine(self) -> int:
        """Return how many drawn hairs side by side are one pixel wide."""
        return max(1, round(self.pixel / HAIR))

    def _pixels(self, points: Image) -> Image:
        shifted: Image = (points + EXTENT) / self.pixel - 0.5 - np.array(self.corner[::-1])
        return shifted


def blank_canvas(head: Head) -> Canvas:
    """Return a canvas of a head's size without paint: albedo and gloss are zero."""
    resolution = head.cover.shape[0]
    x, y = grid(resolution, EXTENT)
    albedo = np.zeros((resolution, resolution, 3), np.float32)
    body = (head.cover * (np.abs(x) < EXTENT)).astype(np.float32)
    gloss, skin = np.zeros_like(x), body.copy()
    return Canvas(head, x, y, head.u, head.v, albedo, head.height.copy(), gloss, body, skin)
