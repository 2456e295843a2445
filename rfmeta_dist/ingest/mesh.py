"""Rasterise the surface of a face, triangles over its 468 landmarks, to a depth map."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    Points = NDArray[np.float32]

_TABLE = Path(__file__).with_name("mesh.csv")
FARTHEST = 0.1  # depth value of the face's farthest point, above the 0 of the background
_FLAT = 1e-6  # square pixels; smaller triangles are seen edge-on and cover no pixel


@cache
def triangles() -> NDArray[np.intp]:
    """Return the landmarks of each triangle, T×3.

    The triangles cover the face from hairline to chin, eyes and mouth included.
    """
    return np.loadtxt(_TABLE, np.intp, delimiter=",")


def fingerprint() -> str:
    """Return the SHA-256 in hex of the table of triangles."""
    return hashlib.sha256(_TABLE.read_bytes()).hexdigest()


def depth_map(landmarks: Points, side: int) -> NDArray[np.float32]:
    """Return how near each pixel of a face is: 1 at the nearest point, `FARTHEST` at the farthest, 0 beside it.

    Args:
        landmarks: 468×3 in pixels of the map, the upper left one spanning [0, 1]²; smaller z is nearer.
        side: side of the map in pixels.

    Returns:
        side×side float32. What lies outside the map is cut off.
    """
    z = landmarks[:, 2]
    near, far = float(z.min()), float(z.max())
    depth = FARTHEST + (1 - FARTHEST) * (far - z) / max(far - near, 1e-6)
    corners = np.column_stack([landmarks[:, :2], depth]).astype(np.float64)[triangles()]
    owner, column, row = _candidates(corners, side)
    inside, height = _pierce(corners, owner, column, row)
    canvas = np.zeros(side * side, np.float32)
    # A turned head hides parts of itself. Where triangles overlap, the nearest one is kept.
    np.maximum.at(canvas, (row * side + column)[inside], height[inside].astype(np.float32))
    return canvas.reshape(side, side)


def _candidates(corners: NDArray[np.float64], side: int) -> tuple[NDArray[np.intp], ...]:
    """Return all pairs of a triangle and a pixel centre in its bounding box: triangle, column and row."""
    low = np.clip(np.ceil(corners[..., :2].min(1) - 0.5), 0, side).astype(np.intp)
    high = np.clip(np.floor(corners[..., :2].max(1) - 0.5) + 1, 0, side).astype(np.intp)
    width, height = np.maximum(high - low, 0).T
    count = width * height
    owner = np.repeat(np.arange(len(corners)), count)
    index = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    down, across = np.divmod(index, width[owner])
    return owner, low[owner, 0] + across, low[owner, 1] + down


def _pierce(
    corners: NDArray[np.float64], owner: NDArray[np.intp], column: NDArray[np.intp], row: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return whether the line of sight through each pixel's centre meets the triangle, and the depth there."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
    area = ux * vy - uy * vx
    solid = np.abs(area) > _FLAT
    scale = np.where(solid, 1 / np.where(solid, area, 1), np.nan)
    # The weights of b and c are linear in the position relative to a.
    weights = np.stack([a[:, 0], a[:, 1], vy * scale, -vx * scale, -uy * scale, ux * scale, a[:, 2], uz, vz])
    ax, ay, bx, by, cx, cy, base, rise_b, rise_c = weights[:, owner]
    x, y = column + 0.5 - ax, row + 0.5 - ay
    to_b, to_c = bx * x + by * y, cx * x + cy * y
    # The tolerance lets triangles overlap slightly, so that rounding leaves no gap between neighbours.
    inside = (to_b >= -1e-9) & (to_c >= -1e-9) & (to_b + to_c <= 1 + 1e-9)
    return inside, base + to_b * rise_b + to_c * rise_c
