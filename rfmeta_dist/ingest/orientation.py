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
        mirrored: True if left and right are swapped first.
        degrees: clockwise rotation after that: 0, 90, 180 or 270.
    """

    mirrored: bool = False
    degrees: int = 0

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Read FFmpeg's display matrix: 3×3 int32 that map (x, y, 1) as a row vector to the right and down.

        Args:
            matrix: at least 36 bytes, in this machine's byte order; the bytes after them are not used.

        Returns:
            The nearest of the eight orientations; the matrix's scale is ignored. If the matrix would map the
            picture to a line or a point, the pixels count as upright.
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
        """Read the orientation tag of an EXIF block. This raises no error, whatever the bytes are.

        Args:
            exif: the block, with or without the prefix `Exif\\0\\0`.

        Returns:
            The orientation. If the block is empty or invalid, has no orientation tag, or has one with a value
            other than 1 to 8, the pixels count as upright: not mirrored, 0 degrees.
        """
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
        """Return this orientation followed by a clockwise rotation; `degrees` is a multiple of 90."""
        return Orientation(self.mirrored, (self.degrees + degrees) % 360)

    def of_pixels(self, stored: Pixels) -> Pixels:
        """Return upright pixels of H×W×3 stored ones: a contiguous copy, W×H×3 after 90 or 270 degrees."""
        return np.ascontiguousarray(np.rot90(stored[:, ::-1] if self.mirrored else stored, -self.degrees // 90))

    def of_box(
        self, box: tuple[float, float, float, float], tall: int, wide: int
    ) -> tuple[float, float, float, float]:
        """Convert a box from stored pixels to upright ones.

        Args:
            box: x and y of the upper left corner, width and height, in stored pixels.
            tall, wide: height and width of the upright picture in pixels.

        Returns:
            The box in the upright picture, in the same form.
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
