"""Use portrait photos as identities: find who is in a folder, where each face lies and who looks alike."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.synth.head.head import EYE
from rfmeta_dist.synth.head.landmarks import Affine, Landmarks, fit_points
from rfmeta_dist.synth.person.bust import Bust
from rfmeta_dist.synth.person.cutout import cut_out

SEARCH_SIZE = 320  # longer side in pixels to which pictures are reduced to find faces
BOX_TO_FACE = 0.95  # width of a box of the Haar detector in face units
MIN_BOX = 0.22  # least side of a face's box as a share of the picture; smaller faces have too little detail
FRONTAL = 0.07  # largest error in face units of fitting the points of a face to the mean head
SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Portrait:
    """One usable portrait.

    Attributes:
        path: path of the picture.
        fit: (a, b, c, d) of the similarity from face units to the picture's pixels,
            column = a·x − b·y + c and row = b·x + a·y + d.
        mesh: 468×3 float32 points of the face as bytes; empty if no landmark model was available.
    """

    path: str
    fit: Affine
    mesh: bytes = b""

    def bust(self, resolution: int) -> Bust:
        """Return the person in the picture as an N×N bust."""
        return cut_out(self.path, self.fit, self.mesh, resolution)


@dataclass(frozen=True)
class Survey:
    """The portraits that were found in a folder.

    Attributes:
        folder: the folder.
        groups: the usable portraits. People who look alike are in one group; all others are groups of one.
        skipped: number of pictures that do not show exactly one usable face.
    """

    folder: Path
    groups: tuple[tuple[Portrait, ...], ...]
    skipped: int

    @property
    def usable(self) -> int:
        """Return the number of portraits with exactly one usable face."""
        return sum(len(group) for group in self.groups)


@lru_cache(maxsize=2)
def survey(folder: Path, landmarks: Landmarks | None = None) -> Survey:
    """Find the portraits in a folder. A file `identities.csv` (file, look_alike_group) groups look-alikes.

    Args:
        folder: folder of JPEG or PNG pictures; its sub-folders are searched too.
        landmarks: finds the points of a face. Without it, OpenCV finds faces, and they get the mean relief.

    Raises:
        DataError: the folder is missing, its list is malformed, or no file has a usable face.
    """
    if not folder.is_dir():
        raise DataError(
            f"portrait folder {folder} does not exist",
            "give the path of a folder, or leave it out to generate made-up faces",
        )
    groups: dict[str, list[Portrait]] = {}
    skipped = 0
    for file, group in _listed(folder):
        portrait = find_portrait(folder / file, landmarks)
        if portrait is None:
            skipped += 1
        else:
            groups.setdefault(group, []).append(portrait)
    if not groups:
        raise DataError(
            f"no usable portrait in {folder}: none of {skipped} pictures shows exactly one clear frontal face",
            "add JPEG or PNG pictures that each show one person from the front",
        )
    return Survey(folder, tuple(tuple(group) for group in groups.values()), skipped)


def find_portrait(path: Path, landmarks: Landmarks | None = None) -> Portrait | None:
    """Return the portrait at `path`, or None if the picture does not show exactly one usable face."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return None
    if landmarks is not None:
        points = landmarks(np.ascontiguousarray(picture[..., ::-1]))
        if points is None:
            return None
        fit, missed = fit_points(points)
        large = np.hypot(fit[0], fit[1]) * BOX_TO_FACE >= 0.8 * MIN_BOX * max(picture.shape[:2])
        return (
            Portrait(str(path), fit, points.astype(np.float32).tobytes())
            if large and missed < FRONTAL
            else None
        )
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    shrink = SEARCH_SIZE / max(grey.shape)
    small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    side = round(SEARCH_SIZE * MIN_BOX)
    boxes = _cascade("haarcascade_frontalface_alt2.xml").detectMultiScale(small, 1.1, 4, 0, (side, side))
    if len(boxes) != 1:
        return None
    column, row, width, _ = (float(value) for value in boxes[0])
    fit = _fit_eyes(small, column, row, width) or _fit_box(column, row, width)
    a, b, c, d = (value / shrink for value in fit)
    return Portrait(str(path), (a, b, c, d))


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Return files and their groups, from the list or with each picture as a group of its own."""
    listing = folder / "identities.csv"
    if not listing.is_file():
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        return [(str(p.relative_to(folder)), str(p)) for p in files]
    with listing.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if not {"file", "look_alike_group"} <= set(rows.fieldnames or ()):
            raise DataError(
                f"{listing} lacks one of its two columns", "write file,look_alike_group as its first line"
            )
        return sorted((row["file"], row["look_alike_group"]) for row in rows)


@lru_cache(maxsize=2)
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))


def _fit_box(column: float, row: float, width: float) -> Affine:
    scale = width / BOX_TO_FACE
    # The centre of the box is just below the bridge of the nose. Faces in portraits are taken as upright.
    return scale, 0.0, column + width / 2, row + width * 0.49


def _fit_eyes(small: NDArray[np.uint8], column: float, row: float, width: float) -> Affine | None:
    """Return the similarity that puts the two eyes where the head has them; None unless both are found."""
    left, top, side = round(column), round(row), round(width)
    face = small[top + side // 6 : top + side * 6 // 10, left : left + side]
    found = _cascade("haarcascade_eye.xml").detectMultiScale(face, 1.05, 4, 0, (side // 8, side // 8))
    centres = np.array([(x + w / 2 + left, y + h / 2 + top + side // 6) for x, y, w, h in found])
    halves = [[c for c in centres if (c[0] > column + width / 2) == right] for right in (False, True)]
    if len(halves[0]) != 1 or len(halves[1]) != 1:
        return None
    first, second = halves[0][0], halves[1][0]
    a, b = (second - first) / (2 * EYE[0])
    # An unlikely size or slant reveals a wrong detection.
    if not 0.8 < a * BOX_TO_FACE / width < 1.25 or abs(b) > 0.2 * a:
        return None
    middle = (first + second) / 2
    return float(a), float(b), float(middle[0] + b * EYE[1]), float(middle[1] - a * EYE[1])
