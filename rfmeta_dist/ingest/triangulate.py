"""Make `mesh.csv`, the triangles of a face: `python -m rfmeta_dist.ingest.triangulate FOLDER`.

Nothing else in the package needs this module. The landmark model gives points, but a depth map needs a surface
without holes. Seen from an upright axis behind the ears and rolled flat, no part of a face hides another, so
any triangulation of the flat points is a surface. This module takes the Delaunay triangulation of the mean of
the frontal faces in a folder, each turned and scaled to have its eyes in the same place. The published table
was made from 102 generated portraits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.ingest.face import EYES, Faces
from rfmeta_dist.ingest.video import Every, read_frames

_NOSE, _CHEEKS = 1, (234, 454)
_BEHIND = 0.1  # distance of the axis behind the farthest point, in distances between the eyes
_FRONTAL = 0.06  # largest distance of the nose from the middle between the cheeks, in widths of the face


def triangulate(faces: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the triangles over the mean of N×468×3 landmarks. Their order depends only on the triangles."""
    from scipy.spatial import Delaunay

    x, y, z = np.mean([_in_place(face) for face in faces if _is_frontal(face)], axis=0).T
    flat = np.column_stack([np.arctan2(x, z.max() + _BEHIND - z), y])
    return np.array(sorted(map(sorted, Delaunay(flat).simplices)), np.int32)


def _is_frontal(face: NDArray[np.float32]) -> bool:
    right, left = face[list(_CHEEKS), 0]
    return bool(abs(face[_NOSE, 0] - (right + left) / 2) < _FRONTAL * (left - right))


def _in_place(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the points upright, with the eyes' outer corners at x = −½ and ½."""
    right, left = face[list(EYES)] * [1, 1, 0]
    across, down, _ = left - right
    turn = np.array([[across, down, 0], [-down, across, 0], [0, 0, np.hypot(across, down)]])
    placed: NDArray[np.float32] = (face - (right + left) / 2) @ turn.T / (across**2 + down**2)
    return placed


def _main(folder: Path) -> None:
    faces, found = Faces(), []
    for path in sorted(folder.rglob("*.jpg")):
        pixels = next(read_frames(path, Every(1))).pixels
        for face in faces.detect(pixels):
            points, _ = faces.landmarks(pixels, face)
            found.append(points)
    np.savetxt(Path(__file__).with_name("mesh.csv"), triangulate(np.stack(found)), "%d", ",")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
