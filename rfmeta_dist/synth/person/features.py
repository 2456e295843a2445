"""Paint lips, nostrils, ears, beards and glasses over skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import MOUTH, Traits
from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.texture import Image, Rng, blob, blur, noise, pair, step
from rfmeta_dist.synth.person.canvas import Canvas

LIPSTICKS = ((0.40, 0.05, 0.06), (0.36, 0.12, 0.12), (0.24, 0.04, 0.08), (0.42, 0.18, 0.16), (0.30, 0.10, 0.09))


@dataclass(frozen=True)
class Look:
    """What is painted on one face besides eyes.

    Attributes:
        lips: fullness around 1.
        lipstick: linear RGB, and its strength from 0 to 1.
        beard: 0 is shaved, up to 0.5 stubble, above that a beard of growing length.
        kind: which parts of a beard grow: all, moustache, goatee or chinstrap.
        glasses: half width, half height and squareness of the lenses and thickness of the rim; None without.
    """

    lips: float
    lipstick: tuple[NDArray[np.float32], float]
    beard: float
    kind: str
    glasses: tuple[float, float, float, float] | None


def draw_look(traits: Traits, makeup: float, rng: Rng) -> Look:
    """Choose a person's mouth, beard and glasses at random."""
    lipstick = np.array(LIPSTICKS[int(rng.integers(len(LIPSTICKS)))], np.float32) * np.float32(
        rng.uniform(0.7, 1.2)
    )
    grown, glasses = rng.random(), None
    beard = 0.0 if grown < 0.4 else rng.uniform(0.15, 0.5) if grown < 0.75 else rng.uniform(0.55, 1.0)
    if rng.random() < 0.16 + 0.2 * traits.age:
        glasses = (
            float(rng.uniform(0.145, 0.175)),
            float(rng.uniform(0.085, 0.135)),
            float(rng.uniform(2.2, 4.5)),
            float(rng.uniform(0.004, 0.010)),
        )
    return Look(
        lips=float(
            np.clip(1.0 + 0.22 * traits.ancestry[0] - 0.25 * traits.age + rng.normal(0, 0.1), 0.6, 1.35)
        ),
        lipstick=(lipstick, makeup * float(rng.uniform(0.2, 1.0))),
        beard=0.0 if traits.woman else float(beard),
        kind=str(rng.choice(["all", "all", "all", "goatee", "moustache", "chinstrap"])),
        glasses=glasses,
    )


def parting(t: Image) -> Image:
    """Return the height of the line between the lips at −1 (left corner) to 1, in template coordinates."""
    curve: Image = (
        MOUTH[1]
        + 0.006 * t**2
        - 0.003
        + 0.0035 * np.exp(-((t / 0.22) ** 2))
        - 0.002 * np.exp(-(((np.abs(t) - 0.4) / 0.2) ** 2))
    )
    return curve


def paint_mouth(canvas: Canvas, look: Look, rng: Rng) -> None:
    """Paint the lips and the line between them."""
    part = canvas.window(np.array([[-MOUTH[0], 0.30], [MOUTH[0], 0.45]]), 0.05)
    u, v, size = part.u, part.v, part.size
    t = np.abs(u) / (MOUTH[0] + 0.004)
    line, arch = parting(u / MOUTH[0]), np.clip(1.0 - t**2, 0.0, None)
    bow = 0.0075 * np.exp(-((u / 0.018) ** 2)) - 0.004 * np.exp(-(((np.abs(u) - 0.034) / 0.022) ** 2))
    top = line - 0.040 * look.lips * arch**0.95 + bow * min(look.lips, 1.1)
    bottom = line + 0.064 * look.lips * arch**0.62
    edge = np.clip(0.0055 + 0.0015 * noise(rng, size, 20), 0.003, 0.009)
    area = step(-edge, edge, np.minimum(v - top, bottom - v)) * step(1.03, 0.93, t)
    upper = step(0.003, -0.003, v - line)
    wrinkles = noise(rng, (1, size[1]), size[1] / 4, 2) * (0.6 + 0.4 * noise(rng, size, 8))
    tint = np.array([0.78, 0.41, 0.42], np.float32) * (1.0 - 0.13 * upper - 0.05 * wrinkles)[..., None]
    part.albedo[...] *= 1.0 + (tint - 1.0) * (0.95 * area)[..., None]
    colour, strength = look.lipstick
    part.cover(colour * (1.0 - 0.15 * upper - 0.06 * wrinkles)[..., None], 0.85 * strength * area)
    # A pale ridge follows the border of the upper lip.
    ridge = np.exp(-(((v - top + 0.006) / 0.005) ** 2)) * step(1.0, 0.6, t)
    part.albedo[...] *= (1.0 + 0.07 * ridge)[..., None]
    below = np.exp(-(((v - bottom - 0.014) / 0.013) ** 2)) * step(0.95, 0.4, t)
    part.tint(np.array([0.84, 0.78, 0.76], np.float32), 0.55 * below)
    thin = 0.0026 + 0.0014 * np.exp(-(((t - 0.95) / 0.12) ** 2))
    slit = np.exp(-(((v - line) / thin) ** 2)) * step(1.07, 0.98, t)
    soft = np.exp(-(((v - line) / 0.010) ** 2)) * step(1.12, 0.9, t)
    part.tint(np.array([0.24, 0.10, 0.09], np.float32), np.clip(0.82 * slit + 0.28 * soft, 0, 1))
    part.height[...] -= 0.008 * slit + 0.006 * soft + 0.0010 * wrinkles * area
    part.height[...] += 0.010 * (look.lips - 0.9) * area * (0.5 + arch)
    part.gloss[...] += (
        (0.03 + 0.16 * strength) * area * (1.0 - 0.8 * slit) * np.clip(1.0 + 0.35 * wrinkles, 0.2, 2)
    )
    corner = pair(u, v, (MOUTH[0] + 0.010, MOUTH[1] + 0.006), (0.016, 0.014))
    part.tint(np.array([0.60, 0.48, 0.46], np.float32), 0.6 * corner)


def paint_nose(canvas: Canvas) -> None:
    """Paint the nostrils and the creases beside them."""
    part = canvas.window(np.array([[-0.1, 0.12], [0.1, 0.22]]), 0.06)
    hole = pair(part.u, part.v + 0.10 * (np.abs(part.u) - 0.055), (0.056, 0.197), (0.027, 0.0115))
    part.tint(np.array([0.12, 0.055, 0.05], np.float32), np.clip(1.25 * hole - 0.12, 0, 1))
    part.gloss[...] *= 1.0 - np.clip(1.5 * hole, 0, 1)
    beside = pair(part.u, part.v, (0.124, 0.165), (0.012, 0.036))
    under = blob(part.u, part.v, (0.0, 0.232), (0.09, 0.014))
    part.tint(np.array([0.72, 0.58, 0.56], np.float32), 0.50 * beside + 0.35 * under)


def beard_area(u: Image, v: Image, kind: str) -> Image:
    """Return where a beard grows, in [0, 1]: on jaw, chin and upper lip, not on lips and cheeks."""
    a = np.abs(u)
    cheek_line = 0.30 - 0.62 * np.clip(a - 0.30, 0.0, 0.3) ** 0.8 + 0.10 * np.clip(0.24 - a, 0, 1)
    jaw = step(-0.03, 0.05, v - cheek_line) * step(0.88, 0.72, v)
    lip = step(0.232, 0.262, v + 0.12 * a) * step(0.352, 0.332, v - 0.15 * a) * step(0.20, 0.16, a)
    mouth = step(1.25, 0.95, np.hypot(a / 0.172, (v - 0.382) / 0.060))
    soul = blob(a, v, (0.0, 0.47), (0.05, 0.03))
    below = step(0.08, 0.16, np.hypot(a, (v - 0.42) * 1.2)) * 0.5 + 0.5
    whole = np.clip(np.maximum(jaw * below, np.maximum(lip, soul)) - 1.2 * mouth, 0, 1)
    kinds = {
        "all": 1.0,
        "moustache": step(0.40, 0.36, v) * step(0.23, 0.17, a),
        "goatee": step(0.24, 0.17, a) * step(0.70, 0.60, v),
        "chinstrap": np.maximum(step(0.20, 0.30, np.hypot(a, v - 0.36)), step(0.50, 0.56, v)),
    }
    area: Image = (whole * kinds[kind]).astype(np.float32)
    return area


def paint_beard(canvas: Canvas, look: Look, colour: NDArray[np.floating], rng: Rng) -> None:
    """Paint a beard shadow, stubble or a beard, hair by hair; a shaved man keeps a trace of it."""
    canvas = canvas.window(np.array([[-0.62, -0.12], [0.62, 0.92]]), 0.0)
    area = beard_area(canvas.u, canvas.v, look.kind if look.beard > 0.3 else "all")
    area *= canvas.head.cover[canvas.part()]
    patchy = np.clip(area * (1.0 + 0.25 * noise(rng, canvas.size, 9, 2)), 0, 1)
    blue = np.array([0.74, 0.78, 0.84], np.float32)
    canvas.tint(blue, patchy * (0.25 + 0.55 * min(look.beard, 0.5)))
    if look.beard < 0.12:
        return
    full = np.clip((look.beard - 0.5) / 0.5, 0.0, 1.0)
    count = int(9000 + 9000 * full)
    spots = rng.uniform((-0.5, -0.1), (0.5, 0.85), (count * 3, 2))
    spots = spots[beard_area(spots[:, 0], spots[:, 1], look.kind) > rng.uniform(0.05, 0.9, len(spots))][:count]
    # Hairs that hang lower lie under those that grow above them.
    spots = spots[np.argsort(-spots[:, 1] + rng.normal(0, 0.05, len(spots)), kind="stable")]
    length = (0.006 + 0.010 * look.beard + 0.085 * full) * rng.uniform(0.5, 1.2, len(spots))
    length *= 1.0 + 0.8 * full * step(0.45, 0.65, spots[:, 1])
    moustache = (spots[:, 1] < 0.36) & (np.abs(spots[:, 0]) < 0.2)
    lean = np.where(moustache, 0.9 * np.sign(spots[:, 0]), 0.55 * spots[:, 0] / 0.4)
    lean = lean + (0.35 - 0.12 * full) * rng.standard_normal(len(spots))
    t = np.linspace(0, 1, 7)
    curl = lean[:, None] + rng.normal(0, 0.6, (len(spots), 1)) * full * t
    path = spots[:, None] + (length[:, None] * t)[..., None] * np.stack([np.sin(curl), np.cos(curl)], -1)
    # Short hairs stop before the lips; long ones may cover their edge.
    tone, hairs = canvas.hairs(path, np.clip(rng.normal(0.42, 0.22, len(spots)), 0, 0.8))
    under = wide_blur(hairs, 0.010 / canvas.pixel)
    dark = np.asarray(colour, np.float32) * (0.35 + 1.3 * tone)[..., None]
    canvas.cover(0.45 * np.asarray(colour, np.float32), np.clip((0.12 + 0.70 * full) * under, 0, 0.92))
    canvas.cover(dark, np.clip((0.45 + 0.45 * full) * hairs, 0, 0.95))
    canvas.height[...] += full * (0.022 * under + 0.004 * (tone - 0.5) * hairs)
    canvas.gloss[...] *= 1.0 - np.clip(0.7 * under * (0.4 + full) + 0.8 * hairs, 0, 0.95)
    canvas.skin[...] *= 1.0 - 0.8 * full * np.clip(1.3 * under, 0, 1)


def paint_ears(canvas: Canvas) -> None:
    """Paint the hollows of the ears, which the relief seen from the front hardly shows."""
    for side in (-1, 1):
        _paint_ear(canvas.window(np.array([[side * 0.44, -0.22], [side * 0.60, 0.32]]), 0.02))


def _paint_ear(canvas: Canvas) -> None:
    a, v = np.abs(canvas.u), canvas.v
    ear = step(0.455, 0.492, a) * step(-0.2, -0.1, v) * step(0.3, 0.2, v)
    hollow = np.exp(-(((a - 0.505) / 0.012) ** 2) - ((v - 0.03) / 0.07) ** 2)
    rim = np.exp(-(((a - 0.475) / 0.012) ** 2)) * ear
    canvas.tint(np.array([0.55, 0.40, 0.38], np.float32), np.clip(0.8 * hollow + 0.6 * rim, 0, 1) * ear)


def paint_glasses(canvas: Canvas, shape: tuple[float, float, float, float], rng: Rng) -> None:
    """Paint frames with a weak reflection, their shadow and their temples."""
    wide, high, square, rim = shape
    part = canvas.window(np.array([[-0.5, -0.25], [0.5, 0.1]]), 0.05)
    colour = np.array(rng.uniform(0.01, 0.05, 3), np.float32)
    if rng.random() < 0.3:
        colour = np.array([0.16, 0.07, 0.03], np.float32) * np.float32(rng.uniform(0.5, 1.2))
    elif rng.random() < 0.2:
        colour = np.array([0.20, 0.18, 0.15], np.float32)

    def drawn(shift: float) -> tuple[Image, Image]:
        a, v = np.abs(part.u), part.v - shift
        lens = (np.abs((a - 0.212) / wide) ** square + np.abs((v + 0.065) / high) ** square) ** (1 / square)
        ring = (lens - 1.0) * min(wide, high)
        frame = step(rim + 0.002, rim - 0.002, np.abs(ring))
        bridge = step(rim, rim - 0.003, np.abs(v + 0.10 + 6 * part.u**2)) * step(0.212 - wide, 0.205 - wide, a)
        arm = (
            step(rim, rim - 0.003, np.abs(v + 0.105))
            * step(0.212 + wide, 0.214 + wide, a)
            * step(0.50, 0.48, a)
        )
        return np.maximum(np.maximum(frame, bridge), arm), step(0.004, -0.004, ring)

    frame, lens = drawn(0.0)
    shadow = blur(drawn(0.016)[0], 0.010 / part.pixel)
    part.tint(np.array([0.5, 0.42, 0.42], np.float32), np.clip(0.8 * shadow, 0, 1))
    sheen = np.clip(
        blob(part.u + 0.5 * part.v, part.v, (0.19, -0.12), (0.03, 0.2))
        + blob(part.u + 0.5 * part.v, part.v, (-0.22, -0.12), (0.03, 0.2)),
        0,
        1,
    )
    part.cover(np.array([0.75, 0.8, 0.85], np.float32), 0.07 * sheen * lens)
    part.cover(colour, 0.97 * frame)
    part.height[...] = np.maximum(part.height, part.height + 0.03 * frame)
    part.gloss[...] += (0.14 - part.gloss) * frame
