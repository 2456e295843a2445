"""Read how a file says that its pixels must be mirrored and rotated to be upright, and apply this to them."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

_FLAT = 1e-3  # a matrix with a smaller determinant, relative to its scale, is degenerate and ignored
_TAG = 0x0112  # EXIF's tag of the orientation


class Orientation(NamedTuple):
    """The mirroring and the rotation that make stored pixels upright.

    Attributes:
        mirrored: True if left and right are swapped first.
        degrees: the clockwise rotation after that: 0, 90, 180 or 270.
    """

    mirrored: bool = False
    degrees: int = 0

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Read FFmpeg's display matrix: 3×3 int32, applied to the row vector (x, y, 1), x right and y down.

        A matrix between two of the eight orientations counts as the nearer one. The scale is ignored. A
        degenerate matrix, which would leave no picture, counts as no rotation.
        """
        a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
        area = a * d - b * c
        if abs(area) <= _FLAT * (a * a + b * b + c * c + d * d) / 2:
            return cls()
        if area < 0:
            a, b = -a, -b  # the rotation that remains after mirroring
        return cls(area < 0, round(math.degrees(math.atan2(b - c, a + d)) / 90) * 90 % 360)

    @classmethod
    def of_exif(cls, exif: bytes) -> Orientation:
        """Read the orientation from an EXIF block. If it is missing or invalid, the pixels stay as stored."""
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
        """Return this orientation with a further clockwise rotation."""
        return Orientation(self.mirrored, (self.degrees + degrees) % 360)

    def of_pixels(self, stored: Pixels) -> Pixels:
        """Return H×W×3 stored pixels, mirrored and rotated so that they are upright."""
        return np.ascontiguousarray(np.rot90(stored[:, ::-1] if self.mirrored else stored, -self.degrees // 90))

    def of_box(
        self, box: tuple[float, float, float, float], tall: int, wide: int
    ) -> tuple[float, float, float, float]:
        """Convert a box in stored pixels to a box in the upright picture.

        Args:
            box: x, y, width, height in stored pixels.
            tall: height of the upright picture in pixels.
            wide: width of the upright picture in pixels.
        """
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
