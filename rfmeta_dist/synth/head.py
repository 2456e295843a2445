"""The analytic head: a height field over face coordinates, for made-up people and for portraits.

Face coordinates: x right, y down, z towards the camera, origin midway between the eyes and the mouth's
height such that eyes lie near y = −0.09, the mouth near 0.33, the chin near 0.62 and the crown near −0.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.texture import Image, Rng, blob, pair, step

EXTENT = 1.25  # a bust is drawn over [−EXTENT, EXTENT]²
EYE = (0.195, -0.09)
MOUTH_Y = 0.335
WIDEST_Y = -0.14


@dataclass(frozen=True)
class HeadShape:
    """Proportions of one head; the defaults are the generic head fitted to portraits.

    Attributes:
        width: half width of the face; the others are multiples of, or offsets to, the average head.
    """

    width: float = 0.47
    chin: float = 0.63
    jaw: float = 2.2
    depth: float = 0.50
    eye_gap: float = 1.0
    eye_size: float = 1.0
    eye_tilt: float = 0.0
    brow: float = 1.0
    nose: float = 1.0
    nose_width: float = 1.0
    nose_length: float = 0.0
    lips: float = 1.0
    mouth_width: float = 1.0
    cheek: float = 1.0
    neck: float = 0.29


def draw_shape(rng: Rng) -> HeadShape:
    """A person's proportions: independent draws, wide enough to tell people apart."""

    def around(centre: float, spread: float) -> float:
        return float(centre + spread * np.clip(rng.standard_normal(), -2.0, 2.0))

    return HeadShape(
        width=around(0.47, 0.022),
        chin=around(0.63, 0.025),
        jaw=around(2.25, 0.2),
        depth=around(0.50, 0.02),
        eye_gap=around(1.0, 0.05),
        eye_size=around(1.0, 0.07),
        eye_tilt=around(0.03, 0.05),
        brow=around(1.0, 0.35),
        nose=around(1.0, 0.14),
        nose_width=around(1.0, 0.13),
        nose_length=around(0.0, 0.018),
        lips=around(1.0, 0.2),
        mouth_width=around(1.0, 0.08),
        cheek=around(1.0, 0.35),
        neck=around(0.29, 0.03),
    )


def eye_centre(shape: HeadShape) -> tuple[float, float]:
    """Centre (x > 0, y) of the eye on the right of the picture; the other is its mirror image."""
    return EYE[0] * shape.eye_gap, EYE[1]


def ovoid(shape: HeadShape, x: Image, y: Image, grow: float = 0.0) -> Image:
    """1 at the middle of the face, 0 on the head's outline (enlarged by `grow`), negative outside."""
    above_brow = y < WIDEST_Y
    height = np.where(above_brow, 0.66 + grow, shape.chin - WIDEST_Y + grow)
    power = np.where(above_brow, 2.3, shape.jaw)
    inside: Image = (
        1.0 - np.abs(x / (shape.width + grow)) ** 2.2 - np.abs((y - WIDEST_Y) / height) ** power
    ).astype(np.float32)
    return inside


def face_height(shape: HeadShape, x: Image, y: Image) -> Image:
    """Height of the bare head in face units, zero and below outside its outline."""
    inside = ovoid(shape, x, y)
    skull = np.sign(inside) * shape.depth * np.abs(inside) ** 0.5
    features = _nose(shape, x, y) + _eyes(shape, x, y) + _mouth(shape, x, y) + _cheeks(shape, x, y)
    height: Image = skull + features * step(0.0, 0.35, inside)
    return height


def body_height(shape: HeadShape, x: Image, y: Image) -> tuple[Image, Image]:
    """Height of neck and shoulders, and the signed distance below the shoulder line (positive inside)."""
    side = np.clip(np.abs(x) / shape.neck, 0.0, 1.0)
    neck = np.where(y > 0.2, 0.30 * np.sqrt(1.0 - side**2) - 0.12, -1.0)
    slope = np.clip(np.abs(x) - shape.neck, 0.0, None)
    shoulder = y - (0.84 + 0.30 * slope**1.3)
    torso = np.where(shoulder > 0.0, 0.42 * np.sqrt(np.clip(shoulder, 0.0, 0.5)) - 0.05, -1.0)
    height: Image = np.maximum(neck, torso).astype(np.float32)
    below: Image = shoulder.astype(np.float32)
    return height, below


def _nose(shape: HeadShape, x: Image, y: Image) -> Image:
    tip = 0.155 + shape.nose_length
    rise = step(-0.16, tip, y) ** 1.4 * step(tip + 0.085, tip - 0.02, y)
    width = (0.050 + 0.025 * step(0.0, tip, y)) * shape.nose_width
    ridge = 0.105 * shape.nose * rise * np.exp(-((x / width) ** 2))
    ball = 0.040 * shape.nose * blob(x, y, (0.0, tip), (0.060 * shape.nose_width, 0.055))
    wings = 0.050 * pair(x, y, (0.078 * shape.nose_width, tip + 0.022), (0.036, 0.036))
    total: Image = ridge + ball + wings
    return total


def _eyes(shape: HeadShape, x: Image, y: Image) -> Image:
    column, row = eye_centre(shape)
    socket = -0.062 * pair(x, y, (column * 0.95, row - 0.005), (0.13, 0.085))
    ball = 0.034 * shape.eye_size * pair(x, y, (column, row), (0.075, 0.055))
    brow = 0.026 * shape.brow * pair(x, y, (column * 0.9, row - 0.15), (0.15, 0.05))
    bags = -0.008 * pair(x, y, (column, row + 0.10), (0.09, 0.025))
    total: Image = socket + ball + brow + bags
    return total


def _mouth(shape: HeadShape, x: Image, y: Image) -> Image:
    half = 0.13 * shape.mouth_width
    muzzle = 0.055 * blob(x, y, (0.0, MOUTH_Y), (0.22, 0.16))
    upper = 0.028 * shape.lips * blob(x, y, (0.0, MOUTH_Y - 0.026), (half, 0.026))
    lower = 0.034 * shape.lips * blob(x, y, (0.0, MOUTH_Y + 0.036), (half * 0.85, 0.030))
    parting = -0.022 * blob(x, y, (0.0, MOUTH_Y + 0.004), (half * 1.1, 0.012))
    groove = -0.022 * blob(x, y, (0.0, MOUTH_Y + 0.105), (0.12, 0.030))
    philtrum = -0.008 * blob(x, y, (0.0, MOUTH_Y - 0.085), (0.018, 0.035))
    corners = -0.012 * pair(x, y, (half * 1.25, MOUTH_Y + 0.005), (0.03, 0.03))
    total: Image = muzzle + upper + lower + parting + groove + philtrum + corners
    return total


def _cheeks(shape: HeadShape, x: Image, y: Image) -> Image:
    bone = 0.032 * shape.cheek * pair(x, y, (0.27, 0.06), (0.13, 0.11))
    fold = (
        -0.012
        * np.exp(-(((np.abs(x) - (0.10 + 0.35 * (y - 0.15))) / 0.022) ** 2))
        * step(0.15, 0.20, y)
        * step(0.36, 0.28, y)
    )
    chin = 0.055 * blob(x, y, (0.0, shape.chin - 0.09), (0.12, 0.075))
    temple = -0.02 * pair(x, y, (shape.width * 0.92, -0.25), (0.10, 0.16))
    total: Image = bone + fold + chin + temple
    return total
