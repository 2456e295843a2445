"""Mirror and turn stored pixels to be upright, in the eight ways that files can ask for."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_FLAT = 1e-3  # relative area below which a matrix maps the picture to nothing, and is ignored
_TAG = 0x0112  # EXIF tag of the orientation


class Orientation(NamedTuple):
    """The mirroring and the rotation that make stored pixels upright.

    Attributes:
        mirrored: whether left and right are swapped first.
        degrees: clockwise rotation after that: 0, 90, 180 or 270.
    """

    mirrored: bool = False
    degrees: int = 0

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Read FFmpeg's display matrix: 3×3 int32 that map (x, y, 1) as a row vector to the right and down.

        A matrix between two of the eight orientations is taken as the nearer one. Its scale is ignored. A
        matrix that would map the picture to nothing counts as no rotation.
        """
        a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
        area = a * d - b * c
        if abs(area) <= _FLAT * (a * a + b * b + c * c + d * d) / 2:
            return cls()
        if area < 0:
            a, b = -a, -b  # what remains of the matrix after mirroring
        return cls(area < 0, round(math.degrees(math.atan2(b - c, a + d)) / 90) * 90 % 360)

    @classmethod
    def of_exif(cls, exif: bytes) -> Orientation:
        """Read the orientation in an EXIF block. A missing or invalid one means upright as stored."""
        exif = exif.removeprefix(b"Exif\0\0")
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
        if order is None or len(exif) < 8:
            return cls()
        (place,) = struct.unpack(f"{order}I", exif[4:8])
        count = int.from_bytes(exif[place : place + 2], "little" if order == "<" else "big")
        entries = exif[place + 2 : place + 2 + 12 * count]
        for name, _, _, value in struct.iter_unpack(f"{order}HHIHxx", entries[: len(entries) // 12 * 12]):
            if name == _TAG:
                return _EXIF.get(value, cls())
        return cls()

    def then(self, degrees: int) -> Orientation:
        """Return this orientation, turned further clockwise."""
        return Orientation(self.mirrored, (self.degrees + degrees) % 360)

    def of_pixels(self, stored: Pixels) -> Pixels:
        """Turn H×W×3 stored pixels upright."""
        return np.ascontiguousarray(np.rot90(stored[:, ::-1] if self.mirrored else stored, -self.degrees // 90))

    def of_box(
        self, box: tuple[float, float, float, float], tall: int, wide: int
    ) -> tuple[float, float, float, float]:
        """Convert a box (x, y, width, height) in stored pixels to the upright picture of `tall`×`wide`."""
        x, y, width, height = box
        across, down = (tall, wide) if self.degrees % 180 else (wide, tall)  # size as stored
        if self.mirrored:
            x = across - x - width
        match self.degrees:
            case 90:
                return down - y - height, x, height, width
            case 180:
                return across - x - width, down - y - height, width, height
            case 270:
                return y, across - x - width, height, width
        return x, y, width, height


_EXIF = {
    1: Orientation(),
    2: Orientation(mirrored=True),
    3: Orientation(degrees=180),
    4: Orientation(mirrored=True, degrees=180),
    5: Orientation(mirrored=True, degrees=270),
    6: Orientation(degrees=90),
    7: Orientation(mirrored=True, degrees=90),
    8: Orientation(degrees=270),
}
