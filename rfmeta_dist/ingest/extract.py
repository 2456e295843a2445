"""Extract face crops with depth maps from one file of a data set, and report what was left out."""

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

RASTER = DEPTH_SIZE * DEPTH_STRIDE  # side of a depth map before it is reduced to its stored size
_SLANT = 0.05  # relative tolerance for a depth image's proportions, because the sides of small ones are rounded


class Crop(NamedTuple):
    """The crop of one face.

    Attributes:
        frame: number of the frame in the video.
        image: encoded square RGB crop.
        depth: encoded 32×32 grey PNG; 255 is nearest; zeros for an attack.
        full_depth: the same depth map at 256×256; None if the crop rule does not ask for it.
    """

    frame: int
    image: bytes
    depth: bytes
    full_depth: bytes | None


@dataclass(frozen=True)
class Extracted:
    """The crops of a file, and facts about what was left out.

    Attributes:
        crops: the crops, in the order of the frames.
        read: number of frames that were searched for a face.
        faceless: numbers of the frames without a face. If a clip has such a frame, the whole clip is left out.
        crowded: numbers of the frames with several faces, of which one was used.
        turned: degrees clockwise by which the file was rotated in addition to its own rotation mark, because
            its faces lay on their side or upside down.
        lying: numbers of the frames whose face seems to lie on its side or upside down and was not rotated.
        small: sides in pixels of the faces that were left out, because they are smaller than the smallest crop.
        shrunk: number of crops that were resized, because they were larger than the largest crop.
    """

    crops: tuple[Crop, ...]
    read: int
    faceless: tuple[int, ...]
    crowded: tuple[int, ...]
    turned: int = 0
    lying: tuple[int, ...] = ()
    small: tuple[int, ...] = ()
    shrunk: int = 0


def extract(  # noqa: PLR0913  a data set may give all of these for a file
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

    Live faces and attacks are cut out in the same way, where the landmarks are, so that neither the framing nor
    the choice of frames tells them apart. A frame without landmarks counts as a frame without a face, whatever
    its label.

    If the faces still lie on their side or upside down after the file's own rotation, the file is rotated
    further until they are upright.

    Args:
        source: a file, or its content.
        label: 1 live, 0 attack; an attack has no depth.
        frames: which frames to take.
        faces: the face detector and landmark model.
        rule: how to cut.
        rotation: degrees clockwise that make the stored pixels upright; 0 to use the file's own rotation mark.
        box_of: the data set's own face box by frame, in pixels of the file as stored. It says which face to
            take if there are several, and where to look if none is detected.
        given_depth: an encoded depth image of a live still image, 255 nearest, to be used instead of depth from
            the landmarks. Its size may differ from the picture's, but not its proportions.
        name: name of the source in errors; the path if not given.

    Raises:
        DataError: the file or its depth image cannot be read (see `read_frames`), or the depth image has other
            proportions than the picture, or is black where the face is.
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
    """Return all settings on which the pixels of crops depend, for the contract of a manifest."""
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
    """The crops and facts that were collected from the clips of a file so far."""

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
            raise self.given.unfit("is black where the face is, but only an attack has a depth map of zeros")
        image = square.cut(frame.pixels, size)
        return Crop(
            frame=frame.number,
            image=encode_png(image) if self.rule.lossless else encode_jpeg(image),
            depth=encode_png(_grey(small)),
            full_depth=encode_png(_grey(depth)) if self.rule.full_depth else None,
        )


@dataclass(frozen=True)
class _Given:
    """A depth image that the data set gives for a picture, H×W×3 grey."""

    name: str
    pixels: Pixels

    def fitted(self, frame: Frame) -> Pixels:
        """Return its pixels resized to the size of the picture."""
        (tall, wide), (height, width) = frame.pixels.shape[:2], self.pixels.shape[:2]
        if abs(wide * height - tall * width) > _SLANT * tall * width:
            raise self.unfit(
                f"is {width}×{height} pixels and the picture {wide}×{tall}, so their proportions differ"
            )
        return cast("Pixels", cv2.resize(self.pixels, (wide, tall), interpolation=cv2.INTER_LINEAR))

    def turned(self, degrees: int) -> _Given:
        """Return this depth image, rotated clockwise."""
        return _Given(self.name, Orientation(degrees=degrees).of_pixels(self.pixels))

    def unfit(self, problem: str) -> DataError:
        """Return the error that says what is wrong with this depth image."""
        return DataError(
            f"{self.name} {problem}",
            "correct the depth image, or leave its cell empty to compute depth from the landmarks",
        )


def _given(encoded: bytes | None, name: str | None) -> _Given | None:
    if encoded is None:
        return None
    name = f"the depth image of {name}"
    (frame,) = read_frames(encoded, Every(1), name=name)
    return _Given(name, frame.pixels)


def _grey(depth: NDArray[np.float32]) -> Pixels:
    return np.rint(depth * 255).astype(np.uint8)
