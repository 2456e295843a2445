"""Cut a face out of a picture and encode the crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.data.shards.decode import DEPTH_STRIDE, MAX_SIDE
from rfmeta_dist.ingest.face import bounds

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Points

    Pixels = NDArray[np.uint8]

QUALITY = 95  # of JPEG crops


@dataclass(frozen=True)
class Native:
    """Limits on the size of crops that are not resized. Such a crop has the side of the face's square.

    Attributes:
        smallest: side in pixels; a face with a smaller square is left out, because no patch would fit into it.
        largest: side in pixels; a larger square is resized to this side, so it loses its original pixels.
    """

    smallest: int = 64
    largest: int = 1024

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.largest <= MAX_SIDE:
            raise ConfigError(
                f"the smallest size of a native crop is {self.smallest} pixels, which is not possible",
                f"use 1 to {self.largest} pixels",
            )


@dataclass(frozen=True)
class CropRule:
    """The rule by which a face is cut out: an upright square around the centre of its landmarks' bounding box.

    The face is not rotated or aligned.

    Attributes:
        size: side of the crop in pixels; or `Native` to keep the pixels without resizing.
        margin: ratio of the square's side to the longer side of the box, which reaches from hairline to chin.
        lossless: True for PNG, False for JPEG. Methods that look at texture need PNG.
        full_depth: True to store the depth map of 256×256 in addition.
    """

    size: int | Native = 256
    margin: float = 1.5
    lossless: bool = False
    full_depth: bool = False

    def __post_init__(self) -> None:
        size = self.size
        if isinstance(size, int) and (not 0 < size <= MAX_SIDE or size % DEPTH_STRIDE):
            raise ConfigError(
                f"the size of crops is {size}, which is not a multiple of {DEPTH_STRIDE} up to {MAX_SIDE}",
                f"use a multiple of {DEPTH_STRIDE} of at most {MAX_SIDE}",
            )
        if not 1 <= self.margin <= 4:
            raise ConfigError(
                f"the margin of crops is {self.margin}, which is not between 1 and 4",
                "use 1 for the face alone, up to 4 for more background",
            )

    def side(self, square: int) -> int | None:
        """Return the side of the crop for a face whose square has side `square`; None if it is too small."""
        if isinstance(self.size, int):
            return self.size
        return min(square, self.size.largest) if square >= self.size.smallest else None


class Square(NamedTuple):
    """A square of whole pixels. It may extend beyond the picture."""

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, landmarks: Points, margin: float) -> Square:
        """Return the square of a face; see `CropRule`."""
        x, y, width, height = bounds(landmarks)
        side = max(1, round(margin * max(width, height)))
        return cls(round(x + (width - side) / 2), round(y + (height - side) / 2), side)

    def cut(self, rgb: Pixels, size: int) -> Pixels:
        """Return the square as size×size RGB.

        Beyond the picture its edge pixels are repeated, because black pixels could become a spurious cue.
        """
        rows, columns = (
            np.clip(np.arange(start, start + self.side), 0, length - 1)
            for start, length in ((self.top, rgb.shape[0]), (self.left, rgb.shape[1]))
        )
        way = cv2.INTER_AREA if self.side >= size else cv2.INTER_LANCZOS4
        crop: Pixels = cv2.resize(rgb[rows[:, None], columns], (size, size), interpolation=way)
        return crop

    def inward(self, landmarks: Points, size: int) -> Points:
        """Convert points of the picture to points of the square, cut at this size. Depth is scaled alike."""
        moved = landmarks - np.array([self.left, self.top, 0], np.float32)
        return moved * np.float32(size / self.side)


def encode_jpeg(pixels: Pixels) -> bytes:
    """Encode RGB pixels as a JPEG without chroma subsampling."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=QUALITY, colorspace="RGB", colorsubsampling="444"
    )
    return data


def encode_png(pixels: Pixels) -> bytes:
    """Encode RGB or grey pixels as a PNG."""
    data: bytes = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()
    return data
