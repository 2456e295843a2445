"""Portrait photos as identities: find the face, fit the generic head, cut the person out of the picture."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.synth.bust import CACHED, Bust
from rfmeta_dist.synth.features import parting
from rfmeta_dist.synth.head import EXTENT, EYE, MOUTH, Head, build_head, mean_shape
from rfmeta_dist.synth.mimic import no_lids
from rfmeta_dist.synth.texture import Image, blur, decode_srgb, grid, luminance, resize, step

SEARCH_SIZE = 320  # faces are looked for in a picture reduced to this
MATTE_SIZE = 160
BOX_TO_FACE = 0.95  # face units across a Haar box
MIN_BOX = 0.22  # of the picture: smaller faces carry too little detail
SUFFIXES = {".jpg", ".jpeg", ".png"}
Affine = tuple[float, float, float, float]


@dataclass(frozen=True)
class Portrait:
    """One usable portrait.

    Attributes:
        path: the picture.
        fit: (a, b, c, d) of the similarity from face units to the picture's pixels,
            column = a·x − b·y + c and row = b·x + a·y + d.
    """

    path: str
    fit: Affine

    def bust(self, resolution: int) -> Bust:
        """The person in the picture as an N×N bust."""
        return _cut_out(self.path, self.fit, resolution)


@dataclass(frozen=True)
class Survey:
    """A folder's usable portraits in look-alike groups, and how many files had no single usable face."""

    groups: tuple[tuple[Portrait, ...], ...]
    skipped: int

    @property
    def usable(self) -> int:
        """Portraits with exactly one usable face."""
        return sum(len(group) for group in self.groups)


@lru_cache(maxsize=2)
def survey(folder: Path) -> Survey:
    """Look through a folder of portraits; `identities.csv` (file, look_alike_group) groups them if present.

    Raises DataError if the folder is missing, its list is malformed, or no file has a usable face.
    """
    if not folder.is_dir():
        raise DataError(f"portrait folder {folder} does not exist", "check the path")
    groups: dict[str, list[Portrait]] = {}
    skipped = 0
    for file, group in _listed(folder):
        portrait = find_portrait(folder / file)
        if portrait is None:
            skipped += 1
        else:
            groups.setdefault(group, []).append(portrait)
    if not groups:
        raise DataError(
            f"no usable portrait in {folder} ({skipped} files without exactly one clear frontal face)",
            "add frontal portraits as JPEG or PNG",
        )
    return Survey(tuple(tuple(group) for group in groups.values()), skipped)


def find_portrait(path: Path) -> Portrait | None:
    """The portrait at `path`, or None without exactly one usable face in it."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        return None
    shrink = SEARCH_SIZE / max(picture.shape)
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    side = round(SEARCH_SIZE * MIN_BOX)
    boxes = _cascade("haarcascade_frontalface_alt2.xml").detectMultiScale(small, 1.1, 4, 0, (side, side))
    if len(boxes) != 1:
        return None
    column, row, width, _ = (float(value) for value in boxes[0])
    fit = _fit_eyes(small, column, row, width) or _fit_box(column, row, width)
    a, b, c, d = (value / shrink for value in fit)
    return Portrait(str(path), (a, b, c, d))


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Files and their groups: the list's, or each picture on its own."""
    listing = folder / "identities.csv"
    if not listing.is_file():
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        return [(str(p.relative_to(folder)), str(p)) for p in files]
    with listing.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if not {"file", "look_alike_group"} <= set(rows.fieldnames or ()):
            raise DataError(f"{listing} lacks a column", "its header must be file,look_alike_group")
        return sorted((row["file"], row["look_alike_group"]) for row in rows)


@lru_cache(maxsize=2)
def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))


def _fit_box(column: float, row: float, width: float) -> Affine:
    scale = width / BOX_TO_FACE
    # The box's centre sits just below the eyes' bridge; faces in portraits are upright.
    return scale, 0.0, column + width / 2, row + width * 0.49


def _fit_eyes(small: NDArray[np.uint8], column: float, row: float, width: float) -> Affine | None:
    """Similarity that puts the two eyes where the head has them; None unless one is found on each side."""
    left, top, side = round(column), round(row), round(width)
    face = small[top + side // 6 : top + side * 6 // 10, left : left + side]
    found = _cascade("haarcascade_eye.xml").detectMultiScale(face, 1.05, 4, 0, (side // 8, side // 8))
    centres = np.array([(x + w / 2 + left, y + h / 2 + top + side // 6) for x, y, w, h in found])
    halves = [[c for c in centres if (c[0] > column + width / 2) == right] for right in (False, True)]
    if len(halves[0]) != 1 or len(halves[1]) != 1:
        return None
    first, second = halves[0][0], halves[1][0]
    a, b = (second - first) / (2 * EYE[0])
    # A wrong detection shows as an unlikely size or slant.
    if not 0.8 < a * BOX_TO_FACE / width < 1.25 or abs(b) > 0.2 * a:
        return None
    middle = (first + second) / 2
    return float(a), float(b), float(middle[0] + b * EYE[1]), float(middle[1] - a * EYE[1])


@lru_cache(maxsize=CACHED)
def _cut_out(path: str, fit: Affine, resolution: int) -> Bust:
    picture = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    x, y = grid(resolution, EXTENT)
    a, b, c, d = fit
    column, row = (a * x - b * y + c).astype(np.float32), (b * x + a * y + d).astype(np.float32)
    drawn: NDArray[np.uint8] = cv2.remap(
        picture,
        column,
        row,
        cv2.INTER_AREA if a * EXTENT > resolution else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    matte = _matte(drawn)
    head = build_head(mean_shape(), resolution)
    height = _relief(matte, head)
    gloss = (0.05 * matte).astype(np.float32)
    albedo = _flatten(decode_srgb((drawn / np.float32(255)).astype(np.float32)), matte)
    t = np.linspace(-1.0, 1.0, 41)
    lips = head.at(np.stack([t * MOUTH[0], parting(t)], -1)).T
    skin = matte * step(0.72, 0.66, np.hypot(x / 0.66, y - 0.02))
    return Bust(albedo, height, matte, gloss, skin, EYE, no_lids(head.acts, lips))


def _matte(drawn: NDArray[np.uint8]) -> Image:
    """Cover of the person, N×N in [0, 1], by GrabCut started from the head's outline."""
    small = cv2.resize(drawn, (MATTE_SIZE, MATTE_SIZE), interpolation=cv2.INTER_AREA)
    x, y = grid(MATTE_SIZE, EXTENT)
    labels = np.full((MATTE_SIZE, MATTE_SIZE), cv2.GC_PR_BGD, np.uint8)
    dome = 1.0 - np.hypot(x / 0.47, np.where(y < -0.1, (y + 0.1) / 0.70, (y + 0.1) / 0.73))
    below = y - (0.90 + 0.30 * np.clip(np.abs(x) - 0.3, 0.0, None) ** 1.3)
    labels[(dome > -0.3) | (below > 0)] = cv2.GC_PR_FGD
    labels[(dome > 0.25) | ((np.abs(x) < 0.2) & (y > 0.5)) | (below > 0.15)] = cv2.GC_FGD
    labels[(np.hypot(x, y * 0.8) > 0.95) & (y < 0.3)] = cv2.GC_BGD
    # GrabCut seeds its clusters from OpenCV's global generator.
    cv2.setRNGSeed(1)
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    soft = blur(resize(blur(person, 0.8), drawn.shape[1]), drawn.shape[1] / 320)
    return step(0.40, 0.85, soft)


def _relief(matte: Image, head: Head) -> Image:
    """The generic head and shoulders; hair and clothes outside them rise gently from the outline."""
    inward = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    inward = inward.astype(np.float32) * (2 * EXTENT / matte.shape[0])
    rise = 0.32 * np.sqrt(np.clip(inward / 0.4, 0.0, 1.0)) - 0.08
    face = step(1.1, 0.85, np.hypot(head.u / 0.44, (head.v - 0.02) / 0.60))
    around = np.maximum(rise, np.minimum(head.height, 0.35) * head.cover)
    around = blur(around.astype(np.float32), 0.03 * matte.shape[0] / EXTENT)
    height: Image = around + (head.height - around) * face
    return height.astype(np.float32)


def _flatten(linear: Image, matte: Image) -> Image:
    """Most of the photo's own soft shading taken out, so that ours does not add to it."""
    small, cover = resize(linear, MATTE_SIZE), resize(matte, MATTE_SIZE) + np.float32(1e-3)
    shading = blur(luminance(small) * cover, 12) / blur(cover, 12)
    gain = (np.median(shading[cover > 0.5]) / np.clip(shading, 0.02, None)) ** 0.6
    flattened: Image = linear * resize(np.clip(gain, 0.4, 2.5).astype(np.float32), linear.shape[1])[..., None]
    return flattened
