"""The mesh is one surface without holes, and its depth map equals that of a slow, simple renderer."""

from __future__ import annotations

import time
from collections import Counter

import cv2
import numpy as np
import pytest

from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.mesh import FARTHEST, depth_map, triangles
from rfmeta_dist.ingest.triangulate import triangulate
from tests.ingest.clips import scene

SIDE = 48
FOREHEAD, CHIN, EARS = 10, 152, (234, 454)


def edges() -> Counter[tuple[int, int]]:
    """Count the triangles that share each edge."""
    corners = triangles()
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    return Counter(map(tuple, np.sort(pairs).tolist()))


@pytest.fixture(scope="module")
def flat() -> np.ndarray:
    """The mesh spread over a disc so that no triangle lies on another: each inner point amid its neighbours."""
    rim_edges = [edge for edge, shared in edges().items() if shared == 1]
    rim = [rim_edges[0][0]]
    while len(rim) < len(rim_edges):
        rim.append(next(b for e in rim_edges for a, b in (e, e[::-1]) if a == rim[-1] and b not in rim[-2:]))
    laplacian, fixed = np.zeros((468, 468)), np.zeros((468, 2))
    for a, b in edges():
        laplacian[a, [a, b]] += (1, -1)
        laplacian[b, [b, a]] += (1, -1)
    angle = 2 * np.pi * np.arange(len(rim)) / len(rim)
    laplacian[rim] = np.eye(468)[rim]
    fixed[rim] = SIDE / 2 + 0.45 * SIDE * np.stack([np.cos(angle), np.sin(angle)], 1)
    return np.linalg.solve(laplacian, fixed)


def slowly(points: np.ndarray, side: int) -> np.ndarray:
    """Compute the same map, pixel by pixel and triangle by triangle."""
    z = points[:, 2]
    value = FARTHEST + (1 - FARTHEST) * (z.max() - z) / np.ptp(z)
    canvas = np.zeros((side, side))
    for corners in triangles():
        plane = np.column_stack([points[corners, :2], np.ones(3)])
        if abs(np.linalg.det(plane)) < 1e-6:
            continue
        inverse = np.linalg.inv(plane)
        for row in range(side):
            for column in range(side):
                weights = np.array([column + 0.5, row + 0.5, 1]) @ inverse
                if weights.min() >= 0:
                    canvas[row, column] = max(canvas[row, column], weights @ value[corners])
    return canvas


def test_the_mesh_is_one_surface_without_holes():
    shared = edges()
    assert set(np.unique(triangles())) == set(range(468))
    assert set(shared.values()) == {1, 2}
    rim = Counter(point for edge, count in shared.items() if count == 1 for point in edge)
    assert set(rim.values()) == {2}
    assert {FOREHEAD, CHIN, *EARS} < set(rim)
    assert 468 - len(shared) + len(triangles()) == 1  # Euler: a disc


def facing(points: np.ndarray) -> np.ndarray:
    """Rotate a face about the upright axis until both ears have the same depth."""
    across, _, away = points[EARS[1]] - points[EARS[0]]
    cos, sin = np.array([across, away]) / np.hypot(across, away)
    return (points @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])).astype(np.float32)


def test_the_mesh_is_what_its_script_makes_of_other_faces_too(faces: Faces):
    found = []
    for number in range(3):
        picture = scene((number, 140, 60))
        found += [facing(faces.landmarks(picture, face)[0]) for face in faces.detect(picture)]
    ours, theirs = (set(map(tuple, table.tolist())) for table in (triangles(), triangulate(np.stack(found))))
    assert len(ours & theirs) > 0.7 * len(ours)


def test_a_slope_is_rendered_exactly(flat: np.ndarray):
    points = np.column_stack([flat, 3 * flat[:, 0] - flat[:, 1]])
    shown = depth_map(points, SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    z = 3 * columns - rows
    expected = FARTHEST + (1 - FARTHEST) * (points[:, 2].max() - z) / np.ptp(points[:, 2])
    face = shown > 0
    assert np.allclose(shown[face], expected[face], atol=1e-5)
    distance = np.hypot(rows - SIDE / 2, columns - SIDE / 2)
    assert face[distance < 0.44 * SIDE].all()
    assert not face[distance > 0.451 * SIDE].any()


def test_the_nearest_surface_shows_where_a_face_hides_itself(flat: np.ndarray):
    side, middle = 24, 12.0
    x, y = (flat / 2 - middle).T
    # Rolled around an upright axis until one half lies before the other.
    points = np.column_stack([middle + 9 * np.sin(x / 4), middle + y, -9 * np.cos(x / 4) + 0.3 * x])
    assert np.allclose(depth_map(points, side), slowly(points, side), atol=1e-5)


def test_what_lies_beside_the_map_is_cut_off(flat: np.ndarray):
    points = np.column_stack([flat, flat[:, 0]])
    whole = depth_map(points, SIDE)
    moved = depth_map(points - np.array([20, 15, 0]), SIDE)
    assert np.allclose(moved[: SIDE - 15, : SIDE - 20], whole[15:, 20:], atol=1e-5)
    assert not moved[SIDE - 15 :].any()
    assert not depth_map(points + np.array([500, 0, 0]), SIDE).any()


def test_a_found_face_has_its_nose_nearest_and_no_holes(faces: Faces):
    picture = scene((0, 140, 60))
    (face,) = faces.detect(picture)
    points, _ = faces.landmarks(picture, face)
    shown = depth_map(points, 360)
    beside = cv2.dilate(shown, np.ones((3, 3)))  # the outline runs between pixels
    assert (beside[tuple(points[:, 1::-1].astype(int).T)] > 0).all()
    assert cv2.connectedComponents((shown == 0).astype(np.uint8))[0] == 2  # all one piece
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    assert np.hypot(*(points[1, :2] - (column, row))) < 0.15 * face.box.width
    ring = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
    for opening in (points[ring], points[[13, 14, 78, 308]]):
        column, row = opening[:, :2].mean(0).astype(int)
        assert shown[row, column] > 0.3


def test_a_turned_head_is_nearer_on_the_side_it_turns_from(faces: Faces):
    picture = scene((0, 140, 60))
    (face,) = faces.detect(picture)
    points, _ = faces.landmarks(picture, face)
    centre = points.mean(0)
    for degrees in (-30, 30):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        shown = depth_map(((points - centre) @ turn.T + centre).astype(np.float32), 360)
        column = int(centre[0])
        left, right = shown[:, :column], shown[:, column:]
        means = left[left > 0].mean(), right[right > 0].mean()
        assert (means[0] < means[1]) == (degrees > 0)


def test_a_map_of_a_face_is_made_in_milliseconds(flat: np.ndarray):
    points = np.column_stack([flat * 256 / SIDE, flat[:, 0]])
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        depth_map(points, 256)
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.03
