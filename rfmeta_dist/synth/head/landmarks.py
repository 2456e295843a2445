"""Relate MediaPipe's 468 face points to the mean head, and bend the head to the points of a portrait.

`landmarks.npz` holds the points in template coordinates, with heights relative to their median. They are the
median over 90 made-up people as the landmark model sees them, each mapped back to the mean head (spread 0.008
face units).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import move_points
from rfmeta_dist.synth.imaging.texture import Image

Points = NDArray[np.float32]
Affine = tuple[float, float, float, float]
# Takes an RGB picture; returns the 468 points of its only face (column, row and z in pixels, smaller z is
# nearer), or None.
Landmarks = Callable[[NDArray[np.uint8]], Points | None]

UPPER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
INNER_UPPER = (61, 191, 80, 81, 82, 13, 312, 311, 310, 415, 291)
INNER_LOWER = (61, 95, 88, 178, 87, 14, 317, 402, 318, 324, 291)


@cache
def template() -> Points:
    """Return the 468×3 points on the mean head."""
    with np.load(Path(__file__).with_name("landmarks.npz"), allow_pickle=False) as stored:
        points: Points = stored["points"]
    return points


def fit_points(points: Points) -> tuple[Affine, float]:
    """Return the similarity from face units to pixels, as in `Portrait`, and its error in face units."""
    known = template()[:, :2].astype(np.float64)
    seen = points[:, :2].astype(np.float64)
    middle, there = known.mean(0), seen.mean(0)
    p, q = known - middle, seen - there
    power = (p**2).sum()
    a, b = (p * q).sum() / power, (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / power
    c, d = there[0] - a * middle[0] + b * middle[1], there[1] - b * middle[0] - a * middle[1]
    missed = float(np.hypot(*_in_face((a, b, c, d), seen, known)[:, :2].T).mean())
    return (float(a), float(b), float(c), float(d)), missed


def bend(points: Points, fit: Affine) -> Image:
    """Return moves of the mean head (see `Head`) that take its points to a portrait's, in depth as well."""
    scale = float(np.hypot(fit[0], fit[1]))
    shifts = _in_face(fit, points[:, :2], template()[:, :2])
    lift = -points[:, 2] / scale
    deeper = lift - np.median(lift) - template()[:, 2]
    return move_points(template()[:, :2], np.column_stack([shifts, deeper]))


def lips(points: Points, fit: Affine) -> tuple[Image, float]:
    """Return the line between the lips in face coordinates, 2×P from left to right, and their distance."""
    placed = _in_face(fit, points[:, :2], np.zeros((len(points), 2)))
    upper, lower = placed[list(INNER_UPPER)], placed[list(INNER_LOWER)]
    apart = float((lower - upper)[5, 1])
    line = (upper + lower) / 2 if apart < 0.02 else lower
    order = np.argsort(line[:, 0], kind="stable")
    return line[order].T.astype(np.float32), apart


def _in_face(fit: Affine, pixels: NDArray[np.floating], origin: NDArray[np.floating]) -> NDArray[np.float64]:
    """Convert pixels K×2 to face coordinates, relative to one origin each."""
    a, b, c, d = fit
    x, y = pixels[:, 0] - c, pixels[:, 1] - d
    power = a * a + b * b
    return np.column_stack([(a * x + b * y) / power, (a * y - b * x) / power]) - origin
