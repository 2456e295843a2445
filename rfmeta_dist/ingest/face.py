"""Find faces in a picture: boxes by BlazeFace, and the 468 points of MediaPipe's face mesh, both run by LiteRT.

Lengths are in pixels of the picture, as floats: x to the right and y down from its upper left corner. The pixel
in row 0 and column 0 spans [0, 1]². Depth z is in the same unit; smaller is nearer.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.ingest.models import DETECTOR, LANDMARKS, read_models

if TYPE_CHECKING:
    Pixels = NDArray[np.uint8]

Points = NDArray[np.float32]

_INPUT = 256  # side of the detector's input in pixels
_STRIDES = (16, 32)  # strides of the detector's two layers of anchors …
_PER_CELL = (2, 6)  # … and the number of anchors in each of their cells
CONFIDENT = 0.5  # a detection or mesh with a lower score is discarded
_SAME = 0.3  # two boxes whose intersection over union is above this belong to one face
_MESH_INPUT = 192  # side of the mesh network's input in pixels
_MESH_MARGIN = 1.5  # side of that input over the longer side of the face's box
EYES = (33, 263)  # outer corners of the right and left eye in the mesh


class Box(NamedTuple):
    """An upright rectangle in pixels of a picture; it may extend beyond the picture.

    Attributes:
        x, y: the upper left corner, to the right and down.
        width, height: lengths of the sides.
    """

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Box) -> float:
        """Return the intersection over union with another box: 0 (apart) to 1 (equal)."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.width * self.height + other.width * other.height - width * height)


class Face(NamedTuple):
    """One detected face.

    Attributes:
        box: about from brow to chin.
        score: confidence of the detector in [0, 1].
        keypoints: 6×2 in pixels: right and left eye of the person, nose, mouth, right and left ear.
    """

    box: Box
    score: float
    keypoints: Points


class Faces:
    """The face detector and the landmark model, each on one thread. A pickled copy loads its own models.

    Raises:
        ConfigError: the models are not installed.
    """

    def __init__(self) -> None:
        models = read_models()
        self._detector, self._mesh = (_Model(models[name]) for name in (DETECTOR, LANDMARKS))
        self._anchors = _anchors()

    def __reduce__(self) -> tuple[type[Faces], tuple[()]]:
        return Faces, ()

    def detect(self, rgb: Pixels) -> list[Face]:
        """Return the faces of an H×W×3 RGB picture, the best score first."""
        height, width = rgb.shape[:2]
        scale = _INPUT / max(height, width)
        # The network needs a square. Padding lies below and to the right, so that coordinates are only scaled.
        small = cv2.resize(
            rgb, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
        )
        square = np.zeros((_INPUT, _INPUT, 3), np.float32)
        square[: small.shape[0], : small.shape[1]] = small
        regressed, logits = self._detector(square / np.float32(127.5) - 1)
        return _suppressed(self._faces(regressed.reshape(-1, 8, 2), logits.ravel(), scale))

    def landmarks(self, rgb: Pixels, face: Face | Box) -> tuple[Points, float]:
        """Compute the mesh of a face.

        Args:
            rgb: H×W×3.
            face: a detected face, or a box from elsewhere, such as an annotation.

        Returns:
            468×3 points and a score in [0, 1].
        """
        if isinstance(face, Face):
            return self._meshed(rgb, _Region.around(face.box, face.keypoints[0], face.keypoints[1]))
        # An annotated box may be drawn differently from the detector's and does not locate the eyes. So the
        # mesh runs twice: the first result gives the box and the eyes for the second.
        level = np.array([[0, 0], [1, 0]], np.float32)
        points, _ = self._meshed(rgb, _Region.around(face, *level))
        return self._meshed(rgb, _Region.around(bounds(points), *points[list(EYES), :2]))

    def _faces(self, regressed: Points, logits: Points, scale: float) -> list[Face]:
        scores = 1 / (1 + np.exp(-logits.clip(-80, 80)))
        faces = []
        for index in np.flatnonzero(scores > CONFIDENT):
            centre, size, *keypoints = regressed[index] / scale
            offset = self._anchors[index] / scale
            x, y = centre + offset - size / 2
            box = Box(float(x), float(y), float(size[0]), float(size[1]))
            faces.append(Face(box, float(scores[index]), np.array(keypoints) + offset))
        return faces

    def _meshed(self, rgb: Pixels, region: _Region) -> tuple[Points, float]:
        raw, logit = self._mesh(region.cut(rgb).astype(np.float32) / np.float32(255))
        score = 1 / (1 + math.exp(-min(80.0, max(-80.0, float(logit.item())))))
        return region.restored(raw.reshape(468, 3)), score


def choose(faces: Sequence[Face], annotated: Box | None) -> Face | Box | None:
    """Return the face to take: the one that overlaps the annotated box most, or that box if none overlaps it.

    Without an annotation, the largest face is taken.

    Returns:
        None if there is neither a face nor an annotation.
    """
    if annotated is None:
        return max(faces, key=lambda face: face.box.width * face.box.height, default=None)
    nearest = max(faces, key=lambda face: face.box.overlap(annotated), default=None)
    return nearest if nearest and nearest.box.overlap(annotated) > 0 else annotated


def bounds(points: Points) -> Box:
    """Return the upright box around points, N×2 or N×3."""
    x, y = points[:, :2].min(0)
    right, bottom = points[:, :2].max(0)
    return Box(float(x), float(y), float(right - x), float(bottom - y))


class _Region(NamedTuple):
    """A square of a picture, turned so that the eyes are level."""

    x: float  # of its centre
    y: float
    side: float
    angle: float  # in radians, clockwise as seen

    @classmethod
    def around(cls, box: Box, right_eye: Points, left_eye: Points) -> _Region:
        across, down = left_eye - right_eye
        side = _MESH_MARGIN * max(box.width, box.height)
        centre = box.x + box.width / 2, box.y + box.height / 2
        return cls(*centre, max(1.0, side), math.atan2(float(down), float(across)))

    def cut(self, rgb: Pixels) -> Pixels:
        """Return the square as the input of the mesh network. It is black beyond the picture."""
        matrix, shift = self._affine()
        # For OpenCV, integer coordinates are at the middle of a pixel.
        shift = shift + matrix @ np.array([0.5, 0.5]) - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        affine, size = np.column_stack([matrix, shift]), (_MESH_INPUT, _MESH_INPUT)
        cut: Pixels = cv2.warpAffine(rgb, affine, size, flags=flags)
        return cut

    def restored(self, points: Points) -> Points:
        """Convert points in the input of the mesh network to the picture."""
        matrix, shift = self._affine()
        flat = points[:, :2] @ matrix.T + shift
        return np.column_stack([flat, points[:, 2] * (self.side / _MESH_INPUT)]).astype(np.float32)

    def _affine(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the map from input to picture: p ↦ matrix·p + shift."""
        scale = self.side / _MESH_INPUT
        cos, sin = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        matrix = np.array([[cos, -sin], [sin, cos]])
        return matrix, np.array([self.x, self.y]) - matrix @ np.full(2, _MESH_INPUT / 2)


class _Model:
    """A network that takes one picture and returns two outputs: positions and confidence."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with _hushed():
            self._network: Any = Interpreter(model_content=content, num_threads=1)
            self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._network.get_output_details()]

    def __call__(self, picture: Points) -> list[Points]:
        self._network.set_tensor(self._input, picture[None])
        self._network.invoke()
        return [self._network.get_tensor(index) for index in self._outputs]


@contextmanager
def _hushed() -> Iterator[None]:
    """Suppress what LiteRT's native code writes straight to stderr. Python exceptions still propagate."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _anchors() -> Points:
    """Return the 896×2 centres of the detector's anchors in its input, in the order of its outputs."""
    layers = []
    for stride, per_cell in zip(_STRIDES, _PER_CELL, strict=True):
        centres = (np.arange(_INPUT // stride, dtype=np.float32) + np.float32(0.5)) * stride
        x, y = np.meshgrid(centres, centres)
        layers.append(np.stack([x, y], -1).reshape(-1, 2).repeat(per_cell, axis=0))
    return np.concatenate(layers)


def _suppressed(faces: list[Face]) -> list[Face]:
    """Return the best detection of each group that overlaps."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(face.box.overlap(other.box) <= _SAME for other in kept):
            kept.append(face)
    return kept
