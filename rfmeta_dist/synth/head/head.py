"""Build one person's head: bend the mean head into their shape, as a height field over face coordinates.

Face coordinates: x right, y down, z towards the camera; the eyes are about 0.39 apart at y = −0.09 and
z = 0.45, the mouth lies near y = 0.37, the chin near 0.65 and the crown near −0.8. One unit is about 16 cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head import anatomy as measured
from rfmeta_dist.synth.head.anatomy import ACTS, MOVES_STEP, MOVES_TOP, anatomy
from rfmeta_dist.synth.imaging.texture import Image, Rng, grid, sample, step

EXTENT = measured.EXTENT  # a bust is drawn over [−EXTENT, EXTENT]²
EYE = (0.195, -0.09)
MOUTH = (0.155, 0.366)  # corner and parting of the lips of the mean head
CHIN_Y = 0.65
COARSE = 160  # side of the grid on which shapes are bent; coarse, because moves are smooth
# Targets of the whole head and of the forehead show extremes, so they are used more weakly than other targets.
SPREAD = {
    "head-": 0.13,
    "head-scale": 0.10,
    "forehead": 0.08,
    "ear-scale": 0.25,
    "neck": 0.3,
    "chin": 0.28,
    "mouth-trans": 0.15,
}
SPREAD |= {
    "eye-trans": 0.22,
    "eyebrows": 0.3,
    "eyebrows-angle": 0.18,
    "nose-scale-vert": 0.2,
    "nose-point": 0.25,
}
FEATURE_SPREAD = 0.36


@dataclass(frozen=True)
class Traits:
    """Traits on which face, skin and hair of one generated person depend. Values are not checked.

    The head is modelled on MakeHuman's base mesh (see `sculpt.py`), which has twelve model heads: African,
    Asian and Caucasian, each female and male, each young and old. `draw_shape` mixes the heads of one sex.

    Attributes:
        woman: True to mix the six female model heads, False to mix the six male ones.
        age: 0 for a person of eighteen to 1 for one of eighty. Higher values give more of the old heads, more
            wrinkles and more grey hair.
        ancestry: weights of the African, the Asian and the Caucasian heads, in this order. Each is from 0 to 1,
            and they sum to 1.
    """

    woman: bool
    age: float
    ancestry: tuple[float, float, float]


@dataclass(frozen=True)
class Head:
    """A bent head over [−EXTENT, EXTENT]² at N×N.

    Attributes:
        u, v: template coordinates of each pixel, N×N; painters work in these.
        height: N×N towards the camera, smooth across the outline.
        shut: as `height`, with the eyes closed.
        cover: N×N, 1 inside the outline of head, neck and shoulders.
        moves: rows×columns×3, where the points of the template go.
        acts: COARSE×COARSE×3 for each expression of ACTS: what it adds to a face coordinate.
    """

    u: Image
    v: Image
    height: Image
    shut: Image
    cover: Image
    moves: Image
    acts: tuple[Image, ...]

    def at(self, points: NDArray[np.floating]) -> Image:
        """Convert template points K×2 to face coordinates K×2."""
        result: Image = (points + _at(self.moves, points)[:, :2]).astype(np.float32)
        return result

    def at_depth(self, points: NDArray[np.floating]) -> Image:
        """Convert points K×3 (two template coordinates and a height) to face coordinates K×3."""
        result: Image = (points + _at(self.moves, points)).astype(np.float32)
        return result


def draw_traits(rng: Rng) -> Traits:
    """Choose a person's traits at random.

    Both sexes are equally likely, young ages are likelier than old ones, and every mixture of ancestries
    occurs.
    """
    shares = rng.dirichlet((0.45, 0.45, 0.45))
    return Traits(
        woman=bool(rng.random() < 0.5),
        age=float(np.clip(rng.beta(1.1, 1.7), 0.0, 1.0)),
        ancestry=(float(shares[0]), float(shares[1]), float(shares[2])),
    )


def draw_shape(traits: Traits, rng: Rng) -> NDArray[np.float32]:
    """Choose at random how one person's head differs from the mean head.

    Args:
        traits: of the person.
        rng: random generator; the result depends on it and the traits alone.

    Returns:
        2×K strengths, one for each of the K changes of shape that `anatomy().names` lists: row 0 for the half
        of the face with x < 0, row 1 for the other half. The halves differ by some per cent. 0 leaves the mean
        head as it is, 1 is the full change; other signs and sizes are allowed.
    """
    names = anatomy().names
    spread = [
        next((s for stem, s in SPREAD.items() if name.startswith(stem)), FEATURE_SPREAD) for name in names
    ]
    weights = np.array(spread) * np.clip(rng.standard_normal(len(names)), -2.2, 2.2)
    old = traits.age**1.5
    for race, share in zip(("african", "asian", "caucasian"), traits.ancestry, strict=True):
        for sex in ("female", "male"):
            for age, portion in (("young", 1.0 - old), ("old", old)):
                chosen = (sex == "female") == traits.woman
                weights[names.index(f"{race}-{sex}-{age}")] = share * portion * chosen
    for word in ("oval", "round", "square", "rectangular", "triangular", "invertedtriangular", "diamond"):
        index = names.index(f"head-{word}")
        weights[index] = abs(weights[index])
    weights[names.index("head-age")] = 0.5 * old
    weights[names.index("mouth-angles-up")] += 0.65
    weights[names.index("mouth-scale-horiz")] += 0.30
    uneven = 0.06 * rng.standard_normal((2, len(names)))
    shape: NDArray[np.float32] = (weights * (1.0 + uneven)).astype(np.float32)
    return shape


def mean_head(resolution: int) -> Head:
    """Return the mean head itself."""
    rows, half = anatomy().moves.shape[1:3]
    return bend_head(np.zeros((rows, 2 * half - 1, 3), np.float32), resolution)


def move_points(points: NDArray[np.floating], shifts: NDArray[np.floating]) -> Image:
    """Return moves, as in `Head`, that take template points K×2 by shifts K×3 and fade out away from them."""
    rows, half = anatomy().moves.shape[1:3]
    u = (np.arange(2 * half - 1) - half + 1) * MOVES_STEP
    v = MOVES_TOP + np.arange(rows) * MOVES_STEP
    at = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)

    def nearness(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
        squared = ((first[:, None] - second[None]) ** 2).sum(-1)
        near: NDArray[np.float64] = np.exp(-squared / 0.10**2) + 0.5 * np.exp(-squared / 0.35**2)
        return near

    # This is the smoothest field that passes closely by the points (the mean of a Gaussian process).
    weights = np.linalg.solve(nearness(points, points) + 0.02 * np.eye(len(points)), shifts)
    moves: Image = (nearness(at, points) @ weights).reshape(rows, 2 * half - 1, 3).astype(np.float32)
    return moves


def build_head(shape: NDArray[np.float32], resolution: int) -> Head:
    """Return the head of strengths from `draw_shape`; `resolution` is N."""
    known = anatomy()
    left, right = (_mirrored(np.einsum("k,kijc->ijc", half, known.moves)) for half in shape)
    column = np.arange(left.shape[1], dtype=np.float32) - left.shape[1] // 2
    return bend_head(left + (right - left) * step(-8.0, 8.0, column)[None, :, None], resolution)


def bend_head(moves: Image, resolution: int) -> Head:
    """Return the mean head with its points moved; `moves` is rows×columns×3 as `Head.moves`."""
    known = anatomy()
    x, y = grid(COARSE, EXTENT)
    u, v = x, y
    for _ in range(5):
        there = _look_up(moves, u, v)
        u, v = x - there[..., 0], y - there[..., 1]
    lift = _look_up(moves, u, v)[..., 2]
    bend = cv2.resize(np.dstack([u - x, v - y, lift]), (resolution, resolution), interpolation=cv2.INTER_CUBIC)
    x, y = grid(resolution, EXTENT)
    u_fine, v_fine = x + bend[..., 0], y + bend[..., 1]
    side = known.height.shape[0]
    column, row = (((c + EXTENT) * (side / 2 / EXTENT) - 0.5).astype(np.float32) for c in (u_fine, v_fine))

    def smooth(image: Image) -> Image:
        found: Image = cv2.remap(image, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return found

    height, shut = smooth(known.height) + bend[..., 2], smooth(known.shut) + bend[..., 2]
    cover = step(0.35, 0.65, smooth(known.cover))
    # Expressions fade out at the neck and before the ears.
    mobile = (step(0.76, 0.62, v) * step(0.60, 0.46, np.abs(u)))[..., None]
    acts = tuple(_look_up(_mirrored(act), u, v) * mobile for act in known.acts)
    return Head(u_fine, v_fine, height, shut, cover, moves, acts)


def _mirrored(half: Image) -> Image:
    """Return moves over the whole face from those given for x ≥ 0."""
    whole: Image = np.concatenate([half[:, :0:-1] * np.array([-1, 1, 1], np.float32), half], axis=1)
    return whole.astype(np.float32)


def _look_up(moves: Image, u: Image, v: Image) -> Image:
    """Return moves at template points of any shape H×W, as H×W×3."""
    column = u / MOVES_STEP + moves.shape[1] // 2
    return sample(moves, column, (v - MOVES_TOP) / MOVES_STEP)


def _at(moves: Image, points: NDArray[np.floating]) -> Image:
    """Return moves K×3 at template points K×2 or K×3."""
    # OpenCV cannot sample pictures wider than 2¹⁵, so the points are arranged in rows.
    rows = -(-len(points) // 4096)
    laid = np.zeros((rows * 4096, 2), np.float32)
    laid[: len(points)] = points[:, :2]
    u, v = laid[:, 0].reshape(rows, 4096), laid[:, 1].reshape(rows, 4096)
    moved: Image = _look_up(moves, u, v).reshape(-1, 3)[: len(points)]
    return moved


def act_index(name: str) -> int:
    """Return the index of an expression among a head's acts."""
    return ACTS.index(name)
