"""Paint skin albedo and fine relief: pigment and blood, blotches, spots, pores, and lines of age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import EXTENT, Traits
from rfmeta_dist.synth.imaging.smooth import coarsely, wide_blur
from rfmeta_dist.synth.imaging.texture import Image, Rng, blob, noise, pair, step
from rfmeta_dist.synth.person.canvas import Canvas
from rfmeta_dist.synth.person.tissue import lay, tissue

# How strongly melanin and blood absorb red, green and blue: brown and pink-red respectively.
MELANIN = np.array([0.92, 1.30, 1.72], np.float32)
BLOOD = np.array([0.06, 0.50, 0.42], np.float32)
PALE = np.array([0.74, 0.60, 0.52], np.float32)
BARE = ((-0.66, -0.86), (0.66, 1.28))  # where skin can be seen, template coordinates
SMOOTH = 0.016  # pitch in face units at which slowly varying maps are computed
RELIEF = np.float32(0.0011)  # depth of a wide pore
TONES = (0.95, 0.36, 0.16)  # mean melanin by ancestry, from which persons deviate


@dataclass(frozen=True)
class Complexion:
    """One person's skin.

    Attributes:
        melanin: 0 (very pale) to 1.4 (very dark).
        blood: redness, about 0.1 to 0.5.
        blotch, freckles, pores, oil: strengths from 0 to 1.
        age: 0 to 1, depth of lines.
        moles: number of moles.
        makeup: 0 for none, to 1 for even skin and painted lips and lids.
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
    """Choose a person's skin at random; no tone is rare."""
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


def pigment(melanin: Image, blood: Image) -> NDArray[np.float32]:
    """Return the linear RGB reflectance of skin (Beer's law), H×W×3, for amounts of melanin and blood."""
    channels = [
        float(pale) * np.exp(np.float32(-m) * melanin - np.float32(b) * blood)
        for pale, m, b in zip(PALE, MELANIN, BLOOD, strict=True)
    ]
    reflectance: NDArray[np.float32] = np.dstack(channels).astype(np.float32)
    return reflectance


def paint_skin(canvas: Canvas, skin: Complexion, rng: Rng) -> None:
    """Cover head and neck with bare skin: albedo, gloss and the relief of pores and lines."""
    canvas.albedo[...] = pigment(np.array([[skin.melanin]]), np.array([[skin.blood]]))
    part = canvas.window(np.array(BARE), 0.0)
    u, v, few = part.u, part.v, max(1, round(SMOOTH / canvas.pixel))
    even, fine = 1.0 - 0.5 * skin.makeup, tissue(canvas.head.cover.shape[0])
    uneven, ruddy = lay(fine.mottle, part, rng), lay(fine.mottle, part, rng)
    pores, net = lay(fine.pores, part, rng), lay(fine.net, part, rng)
    melanin = coarsely(_darker, u, v, few) * np.float32(even * (0.02 + 0.10 * skin.melanin))
    melanin += np.float32(skin.melanin)
    melanin += np.float32(even * (0.5 + 0.5 * skin.blotch) * (0.035 + 0.045 * skin.melanin)) * uneven
    melanin += np.float32(0.07 * even * skin.age) * np.clip(lay(fine.mottle, part, rng) - 1.1, 0.0, 1.2)
    blood = coarsely(_flush, u, v, few) * np.float32((0.45 + 0.55 * skin.blotch) * even)
    blood += np.float32(skin.blood)
    blood += np.float32(even * (0.060 + 0.070 * skin.blotch)) * ruddy
    melanin += _spots(part, skin, rng)
    _blemish(part, skin, (melanin, blood), rng)
    lines = _lines(part, skin, rng)
    blood += np.float32(0.25) * lines
    # Pores are wide on nose and cheeks and hardly visible elsewhere; the net of lines is everywhere.
    wide = coarsely(_porous, u, v, few) * np.float32(skin.pores * (1.0 - 0.45 * skin.makeup))
    pitted = pores * wide
    rough = np.float32(1.0 + 0.5 * skin.age) * (np.float32(0.5) + np.float32(0.5) * wide) * net
    hidden = np.float32(1.0) + np.float32(0.032) * rough - np.float32(0.30) * pitted
    hidden *= (np.float32(1.0) - np.float32(0.16) * lines) * _hollows(part)
    part.albedo[...] = pigment(np.maximum(melanin, 0.0), np.maximum(blood, 0.0)) * hidden[..., None]
    part.height[...] += RELIEF * (np.float32(0.35) * rough - pitted) - np.float32(0.0075) * lines
    # A fold also draws in the skin on both sides of it, because of the fat and muscle below.
    part.height[...] -= np.float32(0.012) * wide_blur(lines, 0.018 / part.pixel)
    part.height[...] += np.float32(0.0022 + 0.0016 * skin.age) * noise(rng, part.size, 7, 3)
    oily = coarsely(_oily, u, v, few)
    broken = np.clip(1.0 + 0.45 * rough - 0.9 * pitted, 0.1, 2.2)
    part.gloss[...] = (0.075 + np.float32(0.21 * skin.oil) * oily) * broken


def _hollows(part: Canvas) -> Image:
    """Return the light left in creases and corners that are too small for a lamp's shadows; 1 where open."""
    deep = np.zeros(part.size, np.float32)
    for reach, weight in ((0.011, 34.0), (0.03, 13.0)):
        below = wide_blur(part.height, reach / part.pixel) - part.height
        deep += np.float32(weight) * np.clip(below - 0.05 * reach, 0.0, 0.03)
    face = step(1.15, 0.9, np.hypot(part.u / 0.44, (part.v - 0.05) / 0.62))
    lost: Image = np.exp(-np.minimum(deep, 0.9) * face)
    return lost


def _porous(u: Image, v: Image) -> Image:
    nose = blob(u, v, (0.0, 0.12), (0.10, 0.14)) + 0.6 * pair(u, v, (0.19, 0.12), (0.13, 0.12))
    total: Image = 0.25 + 0.75 * np.minimum(nose + 0.35 * blob(u, v, (0.0, -0.35), (0.3, 0.12)), 1.0)
    return total


def _oily(u: Image, v: Image) -> Image:
    total = blob(u, v, (0.0, 0.10), (0.09, 0.2)) + 0.8 * blob(u, v, (0.0, -0.38), (0.28, 0.14))
    total += 0.5 * pair(u, v, (0.25, 0.05), (0.12, 0.08)) + 0.4 * blob(u, v, (0.0, 0.56), (0.1, 0.07))
    dry: Image = total * (1.0 - 0.3 * step(0.5, 0.7, np.abs(u)))
    return dry


def _darker(u: Image, v: Image) -> Image:
    """Return where skin has more pigment: around the eyes and the mouth, on the forehead and the neck."""
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


def _spots(part: Canvas, skin: Complexion, rng: Rng) -> Image:
    """Return the melanin of freckles over nose and cheeks and of a few moles."""
    total = np.zeros(part.size, np.float32)
    if skin.freckles:
        count = int(rng.integers(150, 700) * (0.3 + skin.freckles))
        at = rng.normal((0.0, 0.06), (0.22, 0.13), (count, 2))
        at[: count // 4] = rng.uniform((-0.42, -0.5), (0.42, 0.9), (count // 4, 2))
        radius = rng.uniform(0.0022, 0.0062, count)
        _dabs(part, total, at, radius, rng.uniform(0.08, 0.34, count) * (0.5 + 0.5 * skin.freckles))
    at = rng.uniform((-0.42, -0.5), (0.42, 0.9), (skin.moles, 2))
    _dabs(part, total, at, rng.uniform(0.003, 0.008, skin.moles), rng.uniform(0.3, 0.9, skin.moles))
    return total


def _blemish(part: Canvas, skin: Complexion, pigments: tuple[Image, Image], rng: Rng) -> None:
    """Add pimples, the marks they leave, and small veins beside the nose to melanin and blood, in place."""
    melanin, blood = pigments
    even = 1.0 - 0.7 * skin.makeup
    count = int(rng.integers(0, 14))
    at = rng.uniform((-0.4, -0.5), (0.4, 0.6), (count, 2))
    size, strength = rng.uniform(0.005, 0.014, count), rng.uniform(0.1, 0.45, count)
    _dabs(part, blood, at, size, strength * even)
    _dabs(part, part.height, at, size, 0.14 * size * strength)
    marks = int(rng.integers(8, 60))
    at = rng.normal((0.0, 0.15), (0.22, 0.24), (marks, 2))
    size, strength = rng.uniform(0.003, 0.012, marks), rng.uniform(0.02, 0.11, marks) * even
    _dabs(part, melanin, at, size, strength * (0.4 + skin.melanin))
    _dabs(part, blood, at + rng.normal(0, 0.02, (marks, 2)), size, strength)
    veins = int(rng.integers(6, 26))
    t = np.linspace(0.0, 1.0, 6)
    start = rng.normal((0.115, 0.16), (0.03, 0.05), (veins, 1, 2)) * rng.choice([[-1, 1], [1, 1]], (veins, 1))
    bent = np.cumsum(rng.normal(0, 0.008, (veins, 6, 2)), axis=1)
    bent += rng.normal(0, 0.03, (veins, 1, 2)) * t[:, None]
    blood += np.float32(0.10 * even * (0.4 + skin.age)) * part.lines(start + bent)


def _dabs(
    part: Canvas,
    image: Image,
    at: NDArray[np.floating],
    radius: NDArray[np.floating],
    strength: NDArray[np.floating],
) -> None:
    """Add soft discs to `image`, K of them at template points K×2."""
    if not len(at):
        return
    places = (part.head.at(at) + EXTENT) / part.pixel - 0.5 - np.array(part.corner[::-1])
    rows, columns = image.shape
    for (x, y), wide, much in zip(places, radius / part.pixel, strength, strict=True):
        reach = 1.4 * wide + 1.0
        top, left = max(0, int(y - reach)), max(0, int(x - reach))
        bottom, right = min(rows, int(y + reach) + 2), min(columns, int(x + reach) + 2)
        if top < bottom and left < right:
            distance = np.hypot(np.arange(left, right) - x, (np.arange(top, bottom) - y)[:, None])
            # A disc smaller than a pixel covers its pixel in part.
            soft, share = max(1.4 * wide, 1.0), min(1.0, (0.95 * wide) ** 2 / 0.36)
            image[top:bottom, left:right] += np.float32(much * share) * step(soft, 0.36 * soft, distance)


def _lines(canvas: Canvas, skin: Complexion, rng: Rng) -> Image:
    """Return folds and wrinkles in [0, 1], deeper with age."""
    faint, old = 0.20 + 0.5 * skin.age, np.clip(1.6 * skin.age - 0.35, 0.0, 1.0)
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
        near = canvas.window(paths.reshape(-1, 2), 3.0 * width)
        row, column = near.corner[0] - canvas.corner[0], near.corner[1] - canvas.corner[1]
        drawn = near.lines(paths, width)
        target = total[row : row + near.size[0], column : column + near.size[1]]
        target += np.float32(strength / max(float(drawn.max()), 1e-3)) * drawn
    total *= np.clip(0.75 + 0.35 * noise(rng, canvas.size, 22, 2), 0.15, 1.2)
    soft: Image = np.clip(total + 0.6 * wide_blur(total, 0.012 / canvas.pixel), 0.0, 1.0)
    return soft


Paths = NDArray[np.float64]
T = np.linspace(0.0, 1.0, 14)


def _both(right: Paths, rng: Rng) -> Paths:
    """Return paths at x > 0 and their slightly different mirror images."""
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
