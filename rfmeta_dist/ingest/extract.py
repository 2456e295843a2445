"""Turn one file of a data set into face crops with depth maps, and record what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.decode import DEPTH_SIZE, DEPTH_STRIDE
from rfmeta_dist.ingest.crop import QUALITY, CropRule, Native, Square, encode_jpeg, encode_png
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.mesh import depth_map, fingerprint
from rfmeta_dist.ingest.models import SHA256
from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.upright import WayUp, look
from rfmeta_dist.ingest.video import Every, Frame, FrameRule, read_frames

if TYPE_CHECKING:
    from rfmeta_dist.ingest.crop import Pixels
    from rfmeta_dist.ingest.face import Points
    from rfmeta_dist.ingest.recording import Boxes

RASTER = DEPTH_SIZE * DEPTH_STRIDE  # side of a depth map before it is reduced
_SLANT = 0.05  # relative difference of proportions that a depth image may have; small sizes are rounded


class Crop(NamedTuple):
    """One face.

    Attributes:
        frame: number of the frame in the video, from 0.
        image: encoded square RGB crop.
        depth: encoded 32×32 grey PNG; 255 is nearest; zeros for an attack.
        full_depth: the same as 256×256; None unless the rule asks for it.
    """

    frame: int
    image: bytes
    depth: bytes
    full_depth: bytes | None


@dataclass(frozen=True)
class Extracted:
    """The crops of a file, and the frames that gave none.

    Attributes:
        crops: the crops, by frame.
        read: how many frames were examined.
        faceless: numbers of the frames without a face. A clip with such a frame is left out as a whole.
        crowded: numbers of the frames with several faces, of which one was taken.
        turned: degrees clockwise by which the file was turned beyond what it says, because its faces were
            lying.
        lying: numbers of the frames whose face seems to be on its side or upside down and was left like that.
        small: sides in pixels of the squares of faces that were left out because they are too small.
        shrunk: how many crops were too large to keep their own pixels, and were shrunk.
    """

    crops: tuple[Crop, ...]
    read: int
    faceless: tuple[int, ...]
    crowded: tuple[int, ...]
    turned: int = 0
    lying: tuple[int, ...] = ()
    small: tuple[int, ...] = ()
    shrunk: int = 0


def extract(  # noqa: PLR0913  all that a data set may say of a file
    source: Path | bytes,
    *,
    label: int,
    frames: FrameRule,
    faces: Faces,
    rule: CropRule,
    rotation: int = 0,
    box_of: Boxes | None = None,
    given_depth: bytes | None = None,
    name: str | None = None,
) -> Extracted:
    """Cut the faces out of a video or still image.

    A face is cut out around its landmarks, for live faces and attacks alike, because neither the framing nor
    the selection of frames may depend on the class. So a frame in which no landmarks are found counts as one
    without a face, whatever its label.

    If the faces of a file lie on their side or upside down although the file was turned as it says, the file is
    turned further until they are upright.

    Args:
        source: a path, or the content of a file.
        label: 1 live, 0 attack; an attack has no depth.
        frames: which frames to take.
        faces: face detector and landmark model.
        rule: how to cut.
        rotation: degrees clockwise that make the stored pixels upright; 0 for what the file itself says.
        box_of: the data set's own face box by frame number, in pixels as stored. It decides which face is taken
            if there are several, and where to look if none is detected.
        given_depth: an encoded depth image that replaces the depth of the landmarks, for a live still image;
            255 is nearest; any size with the proportions of the picture.
        name: name of the source in errors; its path if not given.

    Raises:
        DataError: the file or its depth image cannot be read (see `read_frames`), the depth image differs in
            proportions from the picture, or it is empty where the face is.
    """
    given, boxes = _given(given_depth, name), box_of or {}
    way_up = WayUp(faces, boxes)
    found = _Found(label, rule, faces, boxes, given, way_up)
    found.add(read_frames(source, frames, rotation=rotation, name=name))
    if turn := way_up.turn:
        found = _Found(label, rule, faces, boxes, given.turned(turn) if given else None)
        found.add(frame.turned(turn) for frame in read_frames(source, frames, rotation=rotation, name=name))
    return Extracted(
        tuple(found.crops),
        found.read,
        tuple(found.faceless),
        tuple(found.crowded),
        turn,
        way_up.lying,
        tuple(found.small),
        found.shrunk,
    )


def contract(frames: FrameRule, rule: CropRule) -> dict[str, Any]:
    """Return what besides the source decides the pixels of the crops, as JSON-able values for a manifest."""
    return {
        "frames": {"rule": type(frames).__name__.lower(), **asdict(frames)},
        "crop": {**asdict(rule), "around": "landmarks", "aligned": False, "beyond": "edge repeated"},
        "encoding": "png" if rule.lossless else f"jpeg {QUALITY} 4:4:4",
        "colour": "RGB",
        "models": dict(SHA256),
        "depth": {"of": "landmark mesh", "mesh": fingerprint(), "attacks": "zeros"},
    }


@dataclass
class _Found:
    """What the clips of a file have given so far."""

    label: int
    rule: CropRule
    faces: Faces
    box_of: Boxes
    given: _Given | None
    way_up: WayUp | None = None
    crops: list[Crop] = field(default_factory=list)
    read: int = 0
    faceless: list[int] = field(default_factory=list)
    crowded: list[int] = field(default_factory=list)
    small: list[int] = field(default_factory=list)
    shrunk: int = 0

    def add(self, frames: Iterable[Frame]) -> None:
        """Cut the face out of each frame. A clip has one square for all frames, so that only the face moves."""
        for _, clip in groupby(frames, key=lambda frame: frame.clip):
            self._add(clip)

    def _add(self, clip: Iterable[Frame]) -> None:
        crops: list[Crop] = []
        square, whole, shrunk = None, True, 0
        for frame in clip:
            self.read += 1
            landmarks = self._landmarks(frame)
            if landmarks is None:
                self.faceless.append(frame.number)
                whole = False
                continue
            square = square or Square.around(landmarks, self.rule.margin)
            size = self.rule.side(square.side)
            if size is None:
                self.small.append(square.side)
                whole = False
                continue
            crops.append(self._crop(frame, landmarks, square, size))
            shrunk += isinstance(self.rule.size, Native) and size < square.side
        if whole:
            self.crops += crops
            self.shrunk += shrunk

    def _landmarks(self, frame: Frame) -> Points | None:
        seen = look(self.faces, frame, self.box_of)
        if seen.crowded:
            self.crowded.append(frame.number)
        if self.way_up:
            self.way_up.add(frame, seen.upright)
        return seen.landmarks

    def _crop(self, frame: Frame, landmarks: Points, square: Square, size: int) -> Crop:
        depth = np.zeros((RASTER, RASTER), np.float32)
        if self.label == 1 and self.given is not None:
            depth = np.asarray(square.cut(self.given.fitted(frame), RASTER)[..., 0] / 255, np.float32)
        elif self.label == 1:
            depth = depth_map(square.inward(landmarks, RASTER), RASTER)
        small = cv2.resize(depth, (DEPTH_SIZE, DEPTH_SIZE), interpolation=cv2.INTER_AREA)
        if self.label == 1 and self.given is not None and not _grey(small).any():
            raise self.given.unfit("is black where the face is; only an attack has a depth map of zeros")
        image = square.cut(frame.pixels, size)
        return Crop(
            frame=frame.number,
            image=encode_png(image) if self.rule.lossless else encode_jpeg(image),
            depth=encode_png(_grey(small)),
            full_depth=encode_png(_grey(depth)) if self.rule.full_depth else None,
        )


@dataclass(frozen=True)
class _Given:
    """A depth image that came with a picture, H×W×3 grey."""

    name: str
    pixels: Pixels

    def fitted(self, frame: Frame) -> Pixels:
        """Return the depth image at the size of the picture. Raises DataError if the proportions differ."""
        (tall, wide), (height, width) = frame.pixels.shape[:2], self.pixels.shape[:2]
        if abs(wide * height - tall * width) > _SLANT * tall * width:
            raise self.unfit(f"is {width}×{height}, but the picture is {wide}×{tall}: the proportions differ")
        return cast("Pixels", cv2.resize(self.pixels, (wide, tall), interpolation=cv2.INTER_LINEAR))

    def turned(self, degrees: int) -> _Given:
        """Return the depth image, turned clockwise."""
        return _Given(self.name, Orientation(degrees=degrees).of_pixels(self.pixels))

    def unfit(self, problem: str) -> DataError:
        """Return an error about the depth image."""
        return DataError(
            f"{self.name} {problem}",
            "correct the depth image, or give none, so that depth is computed from the face's landmarks",
        )


def _given(encoded: bytes | None, name: str | None) -> _Given | None:
    if encoded is None:
        return None
    name = f"the depth image of {name}"
    (frame,) = read_frames(encoded, Every(1), name=name)
    return _Given(name, frame.pixels)


def _grey(depth: NDArray[np.float32]) -> Pixels:
    return np.rint(depth * 255).astype(np.uint8)
