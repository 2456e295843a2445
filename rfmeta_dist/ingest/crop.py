"""Define how a face is cut out of a picture, and how the crop is encoded."""

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
    """The sizes of crops that keep the pixels of the picture: a crop is as large as the face's square.

    Attributes:
        smallest: side in pixels. A face with a smaller square is left out, because no patch would fit into it.
        largest: side in pixels. A larger square is shrunk to it, so it does not keep the picture's own pixels.

    Raises:
        ConfigError: `smallest` is out of range.
    """

    smallest: int = 64
    largest: int = 1024

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.largest <= MAX_SIDE:
            raise ConfigError(
                f"the smallest side of a native crop (--smallest) cannot be {self.smallest} pixels",
                f"use 1 to {self.largest} pixels",
            )


@dataclass(frozen=True)
class CropRule:
    """How a face is cut out: an upright square around the middle of the landmarks' bounding box, not aligned.

    Attributes:
        size: side of the crop in pixels; or `Native`, which does not resize.
        margin: side of the square over the longer side of the box, which spans from hairline to chin.
        lossless: encode crops as PNG instead of JPEG, for methods that examine texture.
        full_depth: also keep the depth map of 256×256.

    Raises:
        ConfigError: size or margin is out of range.
    """

    size: int | Native = 256
    margin: float = 1.5
    lossless: bool = False
    full_depth: bool = False

    def __post_init__(self) -> None:
        size = self.size
        if isinstance(size, int) and (not 0 < size <= MAX_SIDE or size % DEPTH_STRIDE):
            raise ConfigError(
                f"the side of a crop (--size) cannot be {size} pixels",
                f"use a multiple of {DEPTH_STRIDE} from {DEPTH_STRIDE} to {MAX_SIDE}",
            )
        if not 1 <= self.margin <= 4:
            raise ConfigError(
                f"the margin around a face (--margin) cannot be {self.margin}",
                "use 1 to cut out the face alone, up to 4 to include more around it",
            )

    def side(self, square: int) -> int | None:
        """Return the side of the crop of a face whose square has this side; None if the face is too small."""
        if isinstance(self.size, int):
            return self.size
        return min(square, self.size.largest) if square >= self.size.smallest else None


class Square(NamedTuple):
    """The square around a face, in whole pixels of the picture. It may extend beyond the picture.

    Attributes:
        left, top: the upper left corner; below 0 if it lies beyond the picture.
        side: length of a side, at least 1.
    """

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, landmarks: Points, margin: float) -> Square:
        """Return the square of a face.

        Args:
            landmarks: 468×3, in pixels of the picture.
            margin: side of the square over the longer side of the landmarks' upright bounding box. The middle
                of the square is the middle of the box.
        """
        x, y, width, height = bounds(landmarks)
        side = max(1, round(margin * max(width, height)))
        return cls(round(x + (width - side) / 2), round(y + (height - side) / 2), side)

    def cut(self, rgb: Pixels, size: int) -> Pixels:
        """Cut the square out of an H×W×3 uint8 picture, and resize it to size×size×3.

        The picture's edge is repeated beyond the picture, because a black area would be a spurious cue.
        """
        way = cv2.INTER_AREA if self.side >= size else cv2.INTER_LANCZOS4
        crop: Pixels = cv2.resize(self._within(rgb), (size, size), interpolation=way)
        return crop

    def _within(self, rgb: Pixels) -> Pixels:
        """Return the pixels of the square, side×side×3."""
        right, bottom = self.left + self.side, self.top + self.side
        if self.left >= 0 <= self.top and right <= rgb.shape[1] and bottom <= rgb.shape[0]:
            return rgb[self.top : bottom, self.left : right]  # a view: the copy below is slower than the resize
        rows, columns = (
            np.clip(np.arange(start, start + self.side), 0, length - 1)
            for start, length in ((self.top, rgb.shape[0]), (self.left, rgb.shape[1]))
        )
        return rgb[rows[:, None], columns]

    def inward(self, landmarks: Points, size: int) -> Points:
        """Convert landmarks, 468×3, from pixels of the picture to pixels of the crop.

        Args:
            landmarks: their third column is depth, in the same unit; it is scaled like the others.
            size: side of the crop in pixels.
        """
        moved = landmarks - np.array([self.left, self.top, 0], np.float32)
        return moved * np.float32(size / self.side)


def encode_jpeg(pixels: Pixels) -> bytes:
    """Encode H×W×3 uint8 RGB as JPEG of quality `QUALITY`, with colour at full resolution."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=QUALITY, colorspace="RGB", colorsubsampling="444"
    )
    return data


def encode_png(pixels: Pixels) -> bytes:
    """Encode uint8 pixels as PNG: H×W×3 as RGB, H×W as grey."""
    data: bytes = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()
    return data
