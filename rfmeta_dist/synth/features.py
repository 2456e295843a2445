"""Eyes, brows, lips, nostrils, teeth and glasses, painted over skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head import MOUTH_Y, HeadShape, eye_centre
from rfmeta_dist.synth.texture import Image, Rng, mix, noise, pair, step

IRISES = ((0.10, 0.05, 0.025), (0.05, 0.025, 0.015), (0.16, 0.13, 0.06), (0.12, 0.22, 0.30))
LIPSTICKS = ((0.45, 0.06, 0.07), (0.40, 0.12, 0.13), (0.30, 0.05, 0.09))
SCLERA = np.array([0.50, 0.45, 0.43], np.float32)
EYE_HALF = 0.102


@dataclass(frozen=True)
class Look:
    """What is painted on one face: linear RGB colours, gaze in iris radii, openness around 1."""

    iris: tuple[float, float, float]
    lips: tuple[float, float, float]
    brows: tuple[float, float, float]
    brow_weight: float
    openness: float
    gaze: float
    smile: float
    parted: float
    glasses: float


def draw_look(rng: Rng, hair: tuple[float, float, float]) -> Look:
    """A person's eyes, mouth and brows; brows take the hair's colour, darkened."""
    lipstick = LIPSTICKS[int(rng.integers(len(LIPSTICKS)))]
    red, green, blue = (0.6 * channel for channel in hair)
    return Look(
        iris=IRISES[int(rng.integers(len(IRISES)))],
        lips=lipstick,
        brows=(red, green, blue),
        brow_weight=float(rng.uniform(0.7, 1.25)),
        openness=float(rng.uniform(0.85, 1.15)),
        gaze=float(rng.uniform(-0.35, 0.35)),
        smile=float(rng.uniform(-0.2, 0.8)),
        parted=float(max(0.0, rng.uniform(-1.2, 0.7))),
        glasses=float(rng.random() < 0.18),
    )


def paint_features(
    albedo: Image, look: Look, makeup: float, shape: HeadShape, frame: tuple[Image, Image], rng: Rng
) -> tuple[Image, Image]:
    """Paint a face over skin.

    Args:
        albedo: H×W×3 linear skin.
        look: what to paint.
        makeup: 0 to 1, strength of lip colour and eye shadow.
        shape: proportions of the head.
        frame: face coordinates x and y, each H×W.
        rng: source of hair strokes and iris fibres.

    Returns:
        The painted albedo and the gloss (specular weight) of the wet parts, H×W in [0, 1].
    """
    x, y = frame
    albedo = _brows(albedo, look, shape, x, y, rng)
    albedo, eye_gloss = _eyes(albedo, look, makeup, shape, x, y, rng)
    albedo, lip_gloss = _lips(albedo, look, makeup, shape, x, y)
    nostril = pair(x, y, (0.047 * shape.nose_width, 0.20 + shape.nose_length), (0.026, 0.013))
    albedo = albedo * (1.0 - 0.85 * nostril[..., None])
    if look.glasses:
        albedo = _glasses(albedo, shape, x, y)
    return albedo, np.maximum(eye_gloss, lip_gloss)


def _brows(albedo: Image, look: Look, shape: HeadShape, x: Image, y: Image, rng: Rng) -> Image:
    column, row = eye_centre(shape)
    along = (np.abs(x) - (column - 0.115)) / 0.255
    centre = row - 0.138 - 0.026 * np.sin(np.clip(along, 0, 1) * 2.5)
    thick = (0.030 - 0.017 * np.clip(along, 0, 1)) * look.brow_weight
    inside = step(1.0, 0.35, np.abs(y - centre) / thick)
    ends = step(-0.04, 0.10, along) * step(1.04, 0.75, along)
    strokes = noise(rng, (x.shape[0], x.shape[1]), min(110, x.shape[1] / 2.5))
    cover: Image = np.clip(inside * ends * (0.85 + 0.3 * strokes), 0, 0.93)
    return mix(albedo, np.array(look.brows, np.float32), cover)


def _eyes(
    albedo: Image, look: Look, makeup: float, shape: HeadShape, x: Image, y: Image, rng: Rng
) -> tuple[Image, Image]:
    column, row = eye_centre(shape)
    half = EYE_HALF * shape.eye_size
    u = (np.abs(x) - column) / half  # −1 at the inner corner, 1 at the outer
    v = (y - row) / half + shape.eye_tilt * 2.0 * u
    arch = np.clip(1.0 - np.abs(u) ** 2.3, 0.0, None)
    upper, lower = -0.45 * look.openness * arch, 0.34 * arch**0.8
    open_area = step(-0.03, 0.05, np.minimum(v - upper, lower - v)) * step(1.02, 0.96, np.abs(u))
    shadow = step(-0.75, -0.30, v - upper) * step(0.02, -0.02, v - upper) * step(1.3, 0.7, abs(u))
    albedo = albedo * (1.0 - (0.12 + 0.45 * makeup) * shadow[..., None])
    crease = np.exp(-(((v - upper + 0.24) / 0.06) ** 2)) * step(1.15, 0.6, np.abs(u))
    albedo = albedo * (1.0 - 0.45 * crease[..., None])
    ball = _eyeball(look, (x - np.sign(x) * column) / half - 0.15 * look.gaze, v, upper, rng)
    albedo = mix(albedo, ball, open_area)
    lash = np.exp(-(((v - upper) / 0.075) ** 2)) * step(1.1, 0.8, np.abs(u))
    under = 0.35 * np.exp(-(((v - lower) / 0.05) ** 2)) * step(1.0, 0.7, np.abs(u))
    albedo = albedo * (1.0 - 0.9 * np.maximum(lash, under)[..., None])
    return albedo, open_area


def _eyeball(look: Look, across: Image, v: Image, upper: Image, rng: Rng) -> Image:
    """Sclera, iris and pupil in eye half-widths; the upper lid shades the top."""
    radius = np.hypot(across, v + 0.06)
    fibres = 1.0 + 0.2 * noise(rng, (v.shape[0], v.shape[1]), min(160, v.shape[1] / 2))
    iris = np.array(look.iris, np.float32) * fibres[..., None]
    limbus = step(0.32, 0.43, radius)
    iris = iris * (1.0 - 0.7 * limbus[..., None])
    ball = mix(np.broadcast_to(SCLERA, (*v.shape, 3)), iris, step(0.46, 0.41, radius))
    ball = ball * (1.0 - 0.97 * step(0.18, 0.13, radius)[..., None])
    shaded: Image = ball * (1.0 - 0.55 * step(0.32, 0.0, v - upper)[..., None])
    catch = np.exp(-(((across + 0.14) / 0.06) ** 2) - (((v + 0.2) / 0.06) ** 2))
    return mix(shaded, np.ones(3, np.float32), 0.6 * catch)


def _lips(
    albedo: Image, look: Look, makeup: float, shape: HeadShape, x: Image, y: Image
) -> tuple[Image, Image]:
    u = x / (0.165 * shape.mouth_width * (1.0 + 0.12 * look.smile))
    v = y - MOUTH_Y + 0.030 * look.smile * u**2
    arch = np.clip(1.0 - u**2, 0.0, None)
    bow = 1.0 - 0.30 * np.exp(-((u / 0.20) ** 2))
    top = -0.052 * shape.lips * arch * bow
    bottom = 0.066 * shape.lips * arch**0.75
    area = step(-0.004, 0.010, np.minimum(v - top, bottom - v))
    natural = albedo * np.array([0.86, 0.50, 0.52], np.float32)
    painted = mix(natural, np.array(look.lips, np.float32), np.full_like(x, 0.75 * makeup))
    albedo = mix(albedo, painted, 0.9 * area)
    gap = 0.022 * look.parted * arch
    line = step(0.011, 0.003, np.abs(v) - gap) * step(1.06, 0.85, np.abs(u))
    teeth = step(0.0, 0.006, gap - np.abs(v + 0.004) - 0.004)
    albedo = albedo * (1.0 - 0.82 * line[..., None])
    albedo = mix(albedo, np.array([0.42, 0.38, 0.33], np.float32), 0.8 * teeth)
    return albedo, 0.35 * area + 0.3 * makeup * area


def _glasses(albedo: Image, shape: HeadShape, x: Image, y: Image) -> Image:
    column, row = eye_centre(shape)
    lens: NDArray[np.float32] = (np.abs((np.abs(x) - column - 0.005) / 0.155) ** 3.0) + (
        np.abs((y - row - 0.012) / 0.115) ** 3.0
    )
    rim = step(0.20, 0.09, np.abs(lens ** (1 / 3.0) - 1.0) * 1.3)
    bridge = step(0.014, 0.008, np.abs(y - row + 0.02)) * step(0.06, 0.05, np.abs(x))
    temple = step(0.014, 0.008, np.abs(y - row + 0.03)) * step(column + 0.15, column + 0.16, abs(x))
    inside = step(shape.width + 0.03, shape.width, np.abs(x))
    frame = np.maximum(np.maximum(rim, bridge), temple) * inside
    return mix(albedo, np.array([0.03, 0.03, 0.035], np.float32), 0.95 * frame)
