"""Read the mean head, measured on a public-domain mesh: relief, changes by shape and expression, eyelids.

`sculpt.py` says where the numbers come from. Template coordinates are the face coordinates of this mean head.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image

EXTENT = 1.25  # the relief and every bust span [−EXTENT, EXTENT]²
FLOOR, RANGE = -0.9, 1.3  # least value and range of the stored heights, which are relative to …
EYE_HEIGHT = 0.45  # … the height of the middle of the eyes
MOVES_TOP, MOVES_STEP = -0.9, 1 / 64
SHUT_ROWS, SHUT_COLUMNS = (200, 280), (140, 372)  # the part of the relief that closing the eyes changes
SPECK = (0.245, 0.415)  # template coordinates of a misplaced vertex
CARVED = 0.035  # size of the forms that are sharpened, face units
ACTS = ("jaw", "smile", "brows")  # expressions, in the order in which they are stored


@dataclass(frozen=True)
class Anatomy:
    """Measurements of the mean head, facing the camera.

    Attributes:
        height: S×S relief towards the camera in face units, continued smoothly beyond the outline.
        shut: as `height`, with the eyes closed.
        cover: S×S, 1 inside the outline and 0 outside.
        lids: 3×L: columns x > 0 of an eye's opening, with the upper and the lower edge at each.
        names: names of the K ways in which heads differ.
        moves: K×rows×columns×3: where each way moves a point with x ≥ 0 at full strength.
        acts: the same for the expressions of ACTS.
    """

    height: Image
    shut: Image
    cover: Image
    lids: Image
    names: tuple[str, ...]
    moves: Image
    acts: Image


@cache
def anatomy() -> Anatomy:
    """Read the measurements. They are kept in memory for the life of the process."""
    with np.load(Path(__file__).with_name("anatomy.npz"), allow_pickle=False) as stored:
        height, shut = (_relief(stored[name]) for name in ("height", "shut"))
        moves, acts = (
            stored[name] * stored[f"{name}_scale"][:, None, None, None] for name in ("moves", "expressions")
        )
        names, lids = tuple(stored["names"].tolist()), stored["lids"]
    cover = (height > FLOOR + 1e-3).astype(np.float32)
    height = _continued(height, cover)
    cover = cv2.GaussianBlur(cover, (0, 0), 1.2)
    closed = height.copy()
    closed[slice(*SHUT_ROWS), slice(*SHUT_COLUMNS)] = shut
    height, closed = (_carved(_without_specks(each)) for each in (height, closed))
    height, closed = height + np.float32(EYE_HEIGHT), closed + np.float32(EYE_HEIGHT)
    return Anatomy(height, closed, cover, lids, names, moves, acts)


def _without_specks(height: Image) -> Image:
    """Return the relief without the misplaced vertex of the mesh beside each corner of the mouth."""
    side = np.linspace(-EXTENT, EXTENT, len(height), dtype=np.float32)
    near = np.hypot(np.abs(side) - SPECK[0], side[:, None] - SPECK[1])
    level = cv2.morphologyEx(height, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))
    weight = np.clip((0.04 - near) / 0.02, 0.0, 1.0)
    cleaned: Image = (height + weight * (cv2.GaussianBlur(level, (0, 0), 2.5) - height)).astype(np.float32)
    return cleaned


def _carved(height: Image) -> Image:
    """Return the face with sharper forms: the mesh is a mean of many faces and smoother than any of them."""
    side = np.linspace(-EXTENT, EXTENT, len(height), dtype=np.float32)
    inside = np.hypot(side / 0.42, (side[:, None] - 0.08) / 0.58)
    weight = np.clip((1.0 - inside) / 0.25, 0.0, 1.0)
    detail = height - cv2.GaussianBlur(height, (0, 0), CARVED * len(height) / 2 / EXTENT)
    carved: Image = (height + 0.95 * weight * detail).astype(np.float32)
    return carved


def _relief(differences: NDArray[np.uint16]) -> Image:
    levels = np.cumsum(differences, axis=1, dtype=np.uint16)
    return (levels * np.float32(RANGE / 65535) + np.float32(FLOOR)).astype(np.float32)


def _continued(height: Image, cover: Image) -> Image:
    """Return the relief without the step at the outline, which would be visible after resampling."""
    result, known = height.copy(), cover > 0
    for sigma in (1.0, 2.0, 4.0, 8.0, 16.0):
        weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)
        near = cv2.GaussianBlur(np.where(known, height, 0).astype(np.float32), (0, 0), sigma)
        reached = (result < FLOOR + 1e-3) & (weight > 0.05)
        result[reached] = near[reached] / weight[reached]
    neck = np.clip((np.arange(len(result)) / len(result) * 2 - 1) * EXTENT * 4 - 2.6, 0, 1)[:, None]
    smooth = cv2.GaussianBlur(result, (0, 0), 0.7)
    result = smooth + (cv2.GaussianBlur(result, (0, 0), 4) - smooth) * neck
    levelled: Image = result.astype(np.float32)
    return levelled
