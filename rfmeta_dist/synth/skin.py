"""Skin albedo: pigment and blood, blotches, freckles, pores, beard shadow and the darker folds of a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head import MOUTH_Y, HeadShape, eye_centre, ovoid
from rfmeta_dist.synth.texture import Image, Rng, blob, mix, noise, pair, step

# How strongly melanin and blood absorb red, green and blue: brown and pink-red respectively.
MELANIN = np.array([1.00, 1.38, 1.75], np.float32)
BLOOD = np.array([0.10, 0.52, 0.44], np.float32)
PALE = np.array([0.80, 0.62, 0.52], np.float32)


@dataclass(frozen=True)
class Complexion:
    """One person's skin.

    Attributes:
        melanin: 0 (very pale) to 1.4 (very dark).
        blood: redness, about 0.1 to 0.5.
        blotch, freckles, pores, age: strengths from 0 to 1.
        beard: 0 clean, 0.3 stubble, 1 full beard.
        makeup: 0 none to 1 painted lips and darker lids.
    """

    melanin: float
    blood: float
    blotch: float
    freckles: float
    pores: float
    age: float
    beard: float
    makeup: float


def draw_complexion(rng: Rng) -> Complexion:
    """A person's skin; melanin is uniform so that no tone is rare."""
    bearded = rng.random()
    return Complexion(
        melanin=float(rng.uniform(0.05, 1.25)),
        blood=float(rng.uniform(0.15, 0.5)),
        blotch=float(rng.uniform(0.2, 1.0)),
        freckles=float(max(0.0, rng.uniform(-1.0, 1.0))),
        pores=float(rng.uniform(0.4, 1.0)),
        age=float(rng.uniform(0.0, 1.0)),
        beard=float(rng.uniform(0.15, 0.45) if 0.6 < bearded < 0.82 else bearded > 0.82),
        makeup=float(rng.uniform(0.3, 1.0) if bearded < 0.35 else 0.0),
    )


def pigment(melanin: Image | float, blood: Image | float) -> NDArray[np.float32]:
    """Linear RGB reflectance of skin (Beer's law) for amounts of melanin and blood."""
    absorbed = np.multiply.outer(np.asarray(melanin, np.float32), MELANIN) + np.multiply.outer(
        np.asarray(blood, np.float32), BLOOD
    )
    reflectance: NDArray[np.float32] = PALE * np.exp(-absorbed)
    return reflectance


def paint_skin(skin: Complexion, shape: HeadShape, x: Image, y: Image, rng: Rng) -> Image:
    """Albedo of bare skin over the whole canvas, H×W×3 in linear light."""
    size = (x.shape[0], x.shape[1])
    mottle = noise(rng, size, 10, 4)
    pores = noise(rng, size, size[1] / 2.5)
    melanin = skin.melanin * (1.0 + 0.05 * skin.blotch * mottle) + 0.05 * skin.pores * pores
    melanin += skin.freckles * _freckles(x, y, rng) + 0.05 * skin.age * _folds(shape, x, y)
    blood = skin.blood * (1.0 + 0.2 * skin.blotch * noise(rng, size, 14, 3)) + _flush(shape, x, y)
    albedo = pigment(np.clip(melanin, 0.0, None), np.clip(blood, 0.0, None))
    return _beard(albedo, skin, shape, x, y, rng)


def beard_area(shape: HeadShape, x: Image, y: Image) -> Image:
    """Where a beard grows, in [0, 1]: jaw, chin and upper lip, sparing lips and cheeks."""
    jaw = step(0.20, 0.30, y + 0.35 * (np.abs(x) / shape.width - 0.75))
    cheek = 1.0 - pair(x, y, (0.22, 0.17), (0.13, 0.17))
    lip = step(0.225, 0.25, y) * step(0.32, 0.29, y) * step(0.19, 0.15, np.abs(x))
    mouth = blob(x, y, (0.0, MOUTH_Y + 0.01), (0.19, 0.07))
    area: Image = np.clip(np.maximum(jaw * cheek, lip) - 1.5 * mouth * step(0.30, 0.32, y), 0, 1)
    return area


def _flush(shape: HeadShape, x: Image, y: Image) -> Image:
    column, row = eye_centre(shape)
    cheeks = 0.16 * pair(x, y, (0.25, 0.12), (0.13, 0.10))
    nose = 0.20 * blob(x, y, (0.0, 0.15), (0.09, 0.06)) + 0.10 * pair(x, y, (0.08, 0.17), (0.04, 0.04))
    ears = 0.18 * pair(x, y, (shape.width + 0.04, 0.02), (0.06, 0.14))
    lids = 0.14 * pair(x, y, (column, row), (0.13, 0.07))
    total: Image = cheeks + nose + ears + lids
    return total


def _folds(shape: HeadShape, x: Image, y: Image) -> Image:
    """Age lines: forehead, crow's feet, smile folds, bags."""
    column, row = eye_centre(shape)
    forehead = np.sin((y + 0.05 * np.cos(6 * x)) * 75.0) * blob(x, y, (0.0, -0.36), (0.24, 0.08))
    fold = np.exp(-(((np.abs(x) - (0.10 + 0.35 * (y - 0.15))) / 0.012) ** 2)) * step(0.16, 0.2, y)
    bags = pair(x, y, (column, row + 0.085), (0.10, 0.02))
    total: Image = 2.0 * np.clip(forehead, 0, 1) + 4.0 * fold * step(0.38, 0.28, y) + 3.0 * bags
    return total


def _freckles(x: Image, y: Image, rng: Rng) -> Image:
    speckle = noise(rng, (x.shape[0], x.shape[1]), 75)
    area = 0.4 + 0.6 * pair(x, y, (0.18, 0.08), (0.24, 0.16))
    spots: Image = 0.45 * np.clip(speckle - 1.3, 0.0, 1.0) * area
    return spots


def _beard(albedo: Image, skin: Complexion, shape: HeadShape, x: Image, y: Image, rng: Rng) -> Image:
    if skin.beard == 0.0:
        return albedo
    stubble = np.clip(0.85 + 0.3 * noise(rng, (x.shape[0], x.shape[1]), x.shape[1] / 2.0), 0, 1)
    on_face = step(0.0, 0.12, ovoid(shape, x, y, 0.03))
    cover = np.clip(beard_area(shape, x, y) * on_face * skin.beard * stubble * 1.1, 0.0, 0.94)
    return mix(albedo, np.array([0.028, 0.022, 0.02], np.float32), cover)
