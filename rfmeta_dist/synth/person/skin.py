"""Skin albedo and fine relief: pigment and blood, blotches, spots, pores, and the lines that age draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import Traits
from rfmeta_dist.synth.imaging.texture import Image, Rng, blob, blur, noise, pair, step
from rfmeta_dist.synth.person.canvas import Canvas

# How strongly melanin and blood absorb red, green and blue: brown and pink-red respectively.
MELANIN = np.array([0.92, 1.30, 1.72], np.float32)
BLOOD = np.array([0.06, 0.50, 0.42], np.float32)
PALE = np.array([0.74, 0.60, 0.52], np.float32)
TONES = (0.95, 0.36, 0.16)  # usual melanin by ancestry; every person strays from it


@dataclass(frozen=True)
class Complexion:
    """One person's skin.

    Attributes:
        melanin: 0 (very pale) to 1.4 (very dark).
        blood: redness, about 0.1 to 0.5.
        blotch, freckles, pores, oil: strengths from 0 to 1.
        age: 0 to 1, depth of lines.
        moles: how many.
        makeup: 0 none to 1 even skin, painted lips and lids.
    """

    melanin: float
    blood: float
    blotch: float
    freckles: float
    pores: float
    oil: float
    age: float
    moles: int
    makeup: float


def draw_complexion(traits: Traits, rng: Rng) -> Complexion:
    """A person's skin; no tone is rare."""
    usual = float(np.dot(traits.ancestry, TONES))
    melanin = float(np.clip(usual + rng.normal(0.0, 0.14), 0.03, 1.25))
    return Complexion(
        melanin=melanin,
        blood=float(rng.uniform(0.10, 0.36)),
        blotch=float(rng.uniform(0.3, 1.0)),
        freckles=float(max(0.0, rng.uniform(-1.5, 1.0)) * (melanin < 0.5)),
        pores=float(rng.uniform(0.4, 1.0) * (0.7 if traits.woman else 1.0)),
        oil=float(rng.uniform(0.2, 1.0)),
        age=float(np.clip(traits.age + rng.normal(0.0, 0.1), 0.0, 1.0)),
        moles=int(rng.integers(0, 6)),
        makeup=float(max(0.0, rng.uniform(-0.6, 1.0))) if traits.woman else 0.0,
    )


def pigment(melanin: Image | float, blood: Image | float) -> NDArray[np.float32]:
    """Linear RGB reflectance of skin (Beer's law) for amounts of melanin and blood."""
    absorbed = np.multiply.outer(np.asarray(melanin, np.float32), MELANIN) + np.multiply.outer(
        np.asarray(blood, np.float32), BLOOD
    )
    reflectance: NDArray[np.float32] = PALE * np.exp(-absorbed)
    return reflectance


def paint_skin(canvas: Canvas, skin: Complexion, rng: Rng) -> None:
    """Cover the canvas with bare skin: albedo, gloss and the relief of pores and lines."""
    x, u, v, size = canvas.x, canvas.u, canvas.v, canvas.size
    even = 1.0 - 0.5 * skin.makeup
    fine, pores = noise(rng, size, size[1] / 7, 2), noise(rng, size, size[1] / 2.5)
    melanin = skin.melanin * (1.0 + 0.07 * skin.blotch * even * noise(rng, size, 14, 4) + 0.035 * fine)
    melanin = melanin + even * (0.02 + 0.10 * skin.melanin) * _darker(u, v) + 0.018 * skin.pores * pores
    melanin += 0.05 * even * skin.age * np.clip(noise(rng, size, 30, 2) - 0.8, 0.0, 1.5)
    blood = skin.blood * (1.0 + even * skin.blotch * (0.22 * noise(rng, size, 16, 3) + 0.10 * fine))
    blood += (0.45 + 0.55 * skin.blotch) * even * _flush(u, v)
    melanin += _spots(canvas, skin, rng)
    blood += 0.35 * _pimples(canvas, rng) * even
    lines = _lines(canvas, skin, rng)
    blood += 0.25 * lines
    canvas.albedo[...] = pigment(np.clip(melanin, 0.0, None), np.clip(blood, 0.0, None))
    canvas.albedo[...] *= (1.0 - 0.16 * lines)[..., None]
    # Relief of pores as a slope, so that it looks the same at every resolution.
    rough = (0.07 * skin.pores * pores + 0.035 * noise(rng, size, size[1] / 6)) * canvas.pixel
    cheeks = 0.5 + 0.5 * pair(u, v, (0.2, 0.1), (0.22, 0.22))
    canvas.height[...] += rough * cheeks - 0.0075 * lines
    oily = blob(u, v, (0.0, 0.10), (0.09, 0.2)) + 0.8 * blob(u, v, (0.0, -0.38), (0.28, 0.14))
    oily += 0.5 * pair(u, v, (0.25, 0.05), (0.12, 0.08)) + 0.4 * blob(u, v, (0.0, 0.56), (0.1, 0.07))
    broken = np.clip(1.0 + 0.22 * noise(rng, size, size[1] / 3), 0.3, 1.8)
    canvas.gloss[...] = (0.07 + 0.13 * skin.oil * oily) * broken * (1.0 - 0.3 * step(0.5, 0.7, np.abs(x)))


def _darker(u: Image, v: Image) -> Image:
    """Where skin holds more pigment: around the eyes and the mouth, on the forehead and the neck."""
    around_eyes = pair(u, v, (0.19, -0.06), (0.15, 0.10)) + 0.6 * pair(u, v, (0.14, 0.0), (0.10, 0.035))
    mouth = 0.5 * blob(u, v, (0.0, 0.37), (0.24, 0.13))
    forehead, neck = 0.35 * step(-0.2, -0.45, v), 0.5 * step(0.6, 0.8, v)
    total: Image = around_eyes + mouth + forehead + neck - 0.4 * pair(u, v, (0.25, 0.12), (0.12, 0.12))
    return total


def _flush(u: Image, v: Image) -> Image:
    cheeks = 0.17 * pair(u, v, (0.26, 0.13), (0.13, 0.11)) + 0.05 * pair(u, v, (0.33, 0.25), (0.10, 0.14))
    nose = 0.20 * blob(u, v, (0.0, 0.16), (0.07, 0.06)) + 0.18 * pair(u, v, (0.09, 0.18), (0.04, 0.04))
    ears = 0.28 * pair(u, v, (0.51, 0.06), (0.05, 0.16))
    lids = 0.20 * pair(u, v, (0.20, -0.10), (0.11, 0.06)) + 0.12 * pair(u, v, (0.11, -0.06), (0.03, 0.03))
    rest = 0.08 * blob(u, v, (0.0, 0.57), (0.10, 0.07)) + 0.07 * blob(u, v, (0.0, 0.29), (0.12, 0.05))
    pale = -0.07 * blob(u, v, (0.0, -0.35), (0.3, 0.15)) - 0.06 * pair(u, v, (0.15, 0.02), (0.10, 0.05))
    total: Image = cheeks + nose + ears + lids + rest + pale
    return total


def _spots(canvas: Canvas, skin: Complexion, rng: Rng) -> Image:
    """Freckles over nose and cheeks, age spots, and a few moles."""
    size, total = canvas.size, np.zeros(canvas.size, np.float32)
    if skin.freckles:
        speckle = 0.7 * noise(rng, size, 95) + 0.5 * noise(rng, size, 170)
        area = 0.25 + pair(canvas.u, canvas.v, (0.16, 0.08), (0.24, 0.14))
        total += 0.30 * skin.freckles * np.clip(speckle - 0.75, 0.0, 1.2) * area
    for _ in range(skin.moles):
        at, radius = rng.uniform((-0.42, -0.5), (0.42, 0.9)), rng.uniform(0.003, 0.008)
        _dab(canvas, total, at, radius, rng.uniform(0.3, 0.9))
    return total


def _pimples(canvas: Canvas, rng: Rng) -> Image:
    total = np.zeros(canvas.size, np.float32)
    for _ in range(int(rng.integers(0, 14))):
        at = rng.uniform((-0.4, -0.5), (0.4, 0.6))
        _dab(canvas, total, at, rng.uniform(0.006, 0.02), rng.uniform(0.2, 1.0))
    return total


def _dab(canvas: Canvas, image: Image, at: NDArray[np.floating], radius: float, strength: float) -> None:
    """Add a soft disc to `image`."""
    part = canvas.window(at[None], 3 * radius)
    row, column = part.corner
    target = image[row : row + part.size[0], column : column + part.size[1]]
    distance = np.hypot(part.u - at[0], part.v - at[1])
    target += np.float32(strength) * step(1.4 * radius, 0.5 * radius, distance)


def _lines(canvas: Canvas, skin: Complexion, rng: Rng) -> Image:
    """Folds and wrinkles in [0, 1], deeper with age."""
    faint, old = 0.10 + 0.5 * skin.age, np.clip(1.6 * skin.age - 0.35, 0.0, 1.0)
    total = np.zeros(canvas.size, np.float32)
    for strength, width, paths in (
        (0.55 * faint, 0.010, _smile_folds(rng)),
        (0.45 * faint, 0.007, _under_eyes(rng)),
        (0.55 * old, 0.006, _forehead(rng)),
        (0.70 * old, 0.005, _crows_feet(rng)),
        (0.45 * old, 0.007, _between_brows(rng)),
        (0.55 * old, 0.008, _marionette(rng)),
        (0.50 * (0.2 + old), 0.010, _neck(rng)),
    ):
        drawn = canvas.lines(paths, width)
        total += strength * drawn / max(float(drawn.max()), 1e-3)
    total *= np.clip(0.75 + 0.35 * noise(rng, canvas.size, 22, 2), 0.15, 1.2)
    soft: Image = np.clip(total + 0.6 * blur(total, 0.012 / canvas.pixel), 0.0, 1.0)
    return soft


Paths = NDArray[np.float64]
T = np.linspace(0.0, 1.0, 14)


def _both(right: Paths, rng: Rng) -> Paths:
    """Paths at x > 0 and their mirror images, a little different."""
    left = right * [-1, 1] + rng.normal(0, 0.004, (len(right), 1, 2))
    return np.concatenate([right, left])


def _smile_folds(rng: Rng) -> Paths:
    bow, low = rng.uniform(0.02, 0.05), rng.uniform(0.32, 0.40)
    x = 0.125 + 0.07 * T + bow * np.sin(np.pi * T) * 0.5
    return _both(np.stack([x, 0.155 + (low - 0.155) * T], -1)[None], rng)


def _under_eyes(rng: Rng) -> Paths:
    x = 0.10 + 0.17 * T
    paths = [np.stack([x, -0.035 + drop * np.sin(np.pi * (0.12 + 0.72 * T))], -1) for drop in (0.035, 0.058)]
    return _both(np.stack(paths), rng)


def _forehead(rng: Rng) -> Paths:
    rows = np.linspace(-0.46, -0.29, int(rng.integers(3, 6)))
    paths = []
    for row in rows:
        reach = rng.uniform(0.16, 0.27)
        x = -reach + 2 * reach * T + rng.normal(0, 0.05)
        wave = 0.010 * np.cos(2.4 * np.pi * x / 0.5) + np.cumsum(rng.normal(0, 0.0012, T.size))
        paths.append(np.stack([x, row + rng.normal(0, 0.012) - wave], -1))
    return np.stack(paths)


def _crows_feet(rng: Rng) -> Paths:
    angles = np.linspace(-0.5, 0.6, int(rng.integers(3, 6))) + rng.normal(0, 0.06)
    paths = []
    for angle in angles:
        reach = 0.025 + rng.uniform(0.03, 0.06) * T
        paths.append(np.stack([0.30 + reach * np.cos(angle), -0.075 + reach * np.sin(angle) * 1.1], -1))
    return _both(np.stack(paths), rng)


def _between_brows(rng: Rng) -> Paths:
    x = rng.uniform(0.025, 0.045) + 0.01 * np.sin(2 * T)
    return _both(np.stack([x, -0.27 + 0.12 * T], -1)[None], rng)


def _marionette(rng: Rng) -> Paths:
    return _both(np.stack([0.165 + 0.02 * np.sin(2.5 * T), 0.385 + rng.uniform(0.08, 0.12) * T], -1)[None], rng)


def _neck(rng: Rng) -> Paths:
    x = -0.26 + 0.52 * T
    rows = rng.uniform(0.76, 0.95, 3)
    return np.stack([np.stack([x, row - 0.5 * x**2 + 0.004 * rng.normal() * x], -1) for row in rows])
