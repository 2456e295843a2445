"""Process meshes for `sculpt.py`: smooth them by subdivision, and rasterise them from the front."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = NDArray[Any]


def subdivide(quads: Table, count: int) -> tuple[Any, Table]:
    """Do one round of Catmull-Clark subdivision. Return a sparse matrix of the new vertices, and the quads."""
    from scipy import sparse

    def matrix(weights: Table, rows: Table, columns: Table, shape: tuple[int, int]) -> Any:
        return sparse.csr_matrix(
            (np.broadcast_to(weights, rows.shape).ravel(), (rows.ravel(), columns.ravel())), shape
        )

    faces, each = len(quads), np.repeat(np.arange(len(quads))[:, None], 4, 1)
    pairs = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    edges, owner = np.unique(pairs, axis=0, return_inverse=True)
    owner, ends = owner.reshape(faces, 4), np.repeat(np.arange(len(edges))[:, None], 2, 1)
    centre = matrix(np.array(0.25), each, quads, (faces, count))
    middle = matrix(np.array(0.5), ends, edges, (len(edges), count))
    beside = matrix(np.array(1.0), owner, each, (len(edges), faces))
    at_edge = matrix(np.array(1.0), edges, ends, (count, len(edges)))
    at_face = matrix(np.array(1.0), quads, each, (count, faces))
    rim = np.bincount(owner.ravel(), minlength=len(edges)) == 1
    point = (
        sparse.diags(np.where(rim, 1.0, 0.5)) @ middle
        + sparse.diags(np.where(rim, 0.0, 0.25)) @ beside @ centre
    )
    degree, touching = np.asarray(at_edge.sum(1)).ravel(), np.asarray(at_face.sum(1)).ravel()
    inner = (
        sparse.diags(1 / (degree * touching)) @ at_face @ centre
        + sparse.diags(2 / degree**2) @ at_edge @ middle
        + sparse.diags((degree - 3) / degree)
    )
    rims = np.asarray(at_edge @ rim).ravel()
    outer = (
        sparse.diags(np.full(count, 0.5))
        + sparse.diags(0.5 / np.maximum(rims, 1)) @ at_edge @ sparse.diags(rim * 1.0) @ middle
    )
    moved = sparse.diags((rims == 0) * 1.0) @ inner + sparse.diags((rims > 0) * 1.0) @ outer
    corners = [quads, count + owner, count + len(edges) + each, count + np.roll(owner, 1, 1)]
    return sparse.vstack([moved, point, centre]).tocsr(), np.stack(corners, -1).reshape(-1, 4)


def rasterise(points: Table, triangles: Table, x: Table, y: Table) -> tuple[Any, Table]:
    """Rasterise with an orthographic z-buffer. Return sparse pixel×vertex weights, and which pixels are hit."""
    from scipy import sparse

    a, b, c = (points[triangles[:, i]] for i in range(3))
    scale = np.array([x[1] - x[0], y[1] - y[0]])
    low, high = np.minimum(np.minimum(a, b), c)[:, :2], np.maximum(np.maximum(a, b), c)[:, :2]
    size = np.array([len(x), len(y)])
    start = np.clip(np.ceil((low - [x[0], y[0]]) / scale), 0, size).astype(int)
    count = np.maximum(np.clip(np.floor((high - [x[0], y[0]]) / scale) + 1, 0, size).astype(int) - start, 0)
    total = count.prod(1)
    owner = np.repeat(np.arange(len(triangles)), total)
    down, across = np.divmod(
        np.arange(total.sum()) - np.repeat(np.cumsum(total) - total, total), count[owner, 0]
    )
    column, row = start[owner, 0] + across, start[owner, 1] + down
    u, v, w = (b - a)[owner], (c - a)[owner], np.stack([x[column], y[row]], -1) - a[owner, :2]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    solid = np.abs(area) > 1e-12
    area = np.where(solid, area, 1.0)
    to_b, to_c = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area, (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
    inside = solid & (to_b > -1e-6) & (to_c > -1e-6) & (to_b + to_c < 1 + 1e-6)
    owner, to_b, to_c, pixel = owner[inside], to_b[inside], to_c[inside], (row * len(x) + column)[inside]
    height = a[owner, 2] + to_b * u[inside, 2] + to_c * v[inside, 2]
    order = np.lexsort((height, pixel))
    nearest = order[np.append(pixel[order][1:] != pixel[order][:-1], True)]
    weights = np.stack([1 - to_b - to_c, to_b, to_c], 1)[nearest]
    entries = (weights.ravel(), (np.repeat(pixel[nearest], 3), triangles[owner[nearest]].ravel()))
    matrix = sparse.csr_matrix(entries, (len(x) * len(y), len(points)))
    return matrix, np.bincount(pixel[nearest], minlength=len(x) * len(y)) > 0
