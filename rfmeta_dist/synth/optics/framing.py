"""Define coordinates: where the camera looks, the points of its picture, and where the face is in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng

# Millimetres in a face unit. The pupils are 0.39 face units apart, which is 63 mm in adults (Dodgson 2004).
FACE_UNIT_MM = 162.0
MM_PER_INCH = 25.4
FACE_WIDTH = 0.9  # from cheek to cheek, face units


@dataclass(frozen=True)
class Framing:
    """Where the crop lies on the face.

    Attributes:
        x, y: face coordinates of its centre.
        half: half of its side, in face units.
        roll: rotation in radians; above 0 the crop's right side is turned down.
    """

    x: float
    y: float
    half: float
    roll: float

    def to_face(self, x: Image, y: Image) -> tuple[Image, Image]:
        """Convert crop coordinates (the crop spans [−1, 1]²) to face coordinates."""
        cos, sin = math.cos(self.roll) * self.half, math.sin(self.roll) * self.half
        return cos * x - sin * y + self.x, sin * x + cos * y + self.y

    def to_crop(self, x: float, y: float) -> tuple[float, float]:
        """Convert the face coordinates of one point to crop coordinates."""
        cos, sin = math.cos(self.roll) / self.half, math.sin(self.roll) / self.half
        x, y = x - self.x, y - self.y
        return cos * x + sin * y, cos * y - sin * x


@dataclass(frozen=True)
class Raster:
    """A grid of points at which a picture is computed: the middles of square cells, row by row.

    The points are also called samples, as in signal processing. They are not samples of a data set.

    Attributes:
        left, top: crop coordinates of the upper left corner of the first cell.
        pitch: side of a cell in crop coordinates, in which the whole crop has the side 2.
        height, width: numbers of rows and columns.
    """

    left: float
    top: float
    pitch: float
    height: int
    width: int

    def grid(self) -> tuple[Image, Image]:
        """Return the crop coordinates x (right) and y (down) of the points, each H×W."""
        x = (np.arange(self.width, dtype=np.float32) + 0.5) * np.float32(self.pitch) + np.float32(self.left)
        y = (np.arange(self.height, dtype=np.float32) + 0.5) * np.float32(self.pitch) + np.float32(self.top)
        across, down = np.meshgrid(x, y)
        return across, down

    def axes(self) -> tuple[Image, Image]:
        """Return the crop coordinates of the points: x (right) as 1×W, y (down) as H×1."""
        x = (np.arange(self.width, dtype=np.float32) + 0.5) * np.float32(self.pitch) + np.float32(self.left)
        y = (np.arange(self.height, dtype=np.float32) + 0.5) * np.float32(self.pitch) + np.float32(self.top)
        return x[None], y[:, None]

    def part(self, rows: slice, columns: slice) -> Raster:
        """Return the raster of some rows and columns of this one. Both slices need a start and a stop."""
        left, top = self.left + columns.start * self.pitch, self.top + rows.start * self.pitch
        return Raster(left, top, self.pitch, rows.stop - rows.start, columns.stop - columns.start)


class Face(NamedTuple):
    """Where a face is, in any coordinates. The first eye is the one on the left of the picture.

    Attributes:
        left, top, right, bottom: sides of its box.
        eyes: centres of both eyes.
    """

    left: float
    top: float
    right: float
    bottom: float
    eyes: tuple[tuple[float, float], tuple[float, float]]


def mapped(face: Face, place: Callable[[float, float], tuple[float, float]]) -> Face:
    """Return a face in other coordinates. The new box encloses the new places of the box's corners."""
    corners = [place(x, y) for x in (face.left, face.right) for y in (face.top, face.bottom)]
    across, down = zip(*corners, strict=True)
    return Face(min(across), min(down), max(across), max(down), (place(*face.eyes[0]), place(*face.eyes[1])))


def square(resolution: int) -> Raster:
    """Return the grid of the crop alone, `resolution` points each way."""
    return Raster(-1.0, -1.0, 2.0 / resolution, resolution, resolution)


def draw_framing(rng: Rng) -> Framing:
    """Choose at random how a face detector crops. Live faces and attacks have the same distribution."""
    return Framing(
        x=float(rng.uniform(-0.06, 0.06)),
        y=float(rng.uniform(-0.12, 0.04)),
        half=float(rng.uniform(0.68, 0.86)),
        roll=float(rng.normal(0.0, 0.05)),
    )
