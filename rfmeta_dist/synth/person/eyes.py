"""Paint eyes over skin: ball, iris, lids, lashes and brows, and the same eyes shut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.anatomy import anatomy
from rfmeta_dist.synth.head.head import Traits
from rfmeta_dist.synth.imaging.texture import Image, Rng, blob, blur, mix, noise, step
from rfmeta_dist.synth.person.canvas import Canvas

BROWN, HAZEL, GREEN, GREY, BLUE = (
    (0.055, 0.024, 0.010),
    (0.13, 0.075, 0.025),
    (0.11, 0.12, 0.055),
    (0.16, 0.18, 0.19),
    (0.10, 0.17, 0.26),
)
SCLERA = np.array([0.53, 0.475, 0.44], np.float32)
IRIS_RADIUS, BALL_RADIUS = 0.041, 0.083
CENTRE = (0.203, -0.083)
INNER, OUTER = 0.106, 0.297  # corners of the opening


@dataclass(frozen=True)
class EyeLook:
    """One person's eyes.

    Attributes:
        iris: linear RGB.
        pupil: radius over the iris's.
        gaze: offset of the irises from the middle, in face units.
        fold: distance of the upper lid's fold from its edge, in face units; small where it is hidden.
        lashes, liner, shadow: strengths from 0 to 1.
        brow: thickness around 1; arch and tilt of its curve in face units.
        tired: 0 to 1, darkness below the eyes.
    """

    iris: tuple[float, float, float]
    pupil: float
    gaze: tuple[float, float]
    fold: float
    lashes: float
    liner: float
    shadow: float
    brow: tuple[float, float, float]
    tired: float


def draw_eyes(traits: Traits, makeup: float, rng: Rng) -> EyeLook:
    """Choose a person's eyes at random. The chance of light irises follows from the ancestry."""
    light = rng.random() < 0.75 * traits.ancestry[2]
    shades = (HAZEL, GREEN, GREY, BLUE, BLUE) if light else (BROWN, BROWN, HAZEL)
    red, green, blue = np.array(shades[int(rng.integers(len(shades)))]) * rng.uniform(0.65, 1.3)
    brow = rng.uniform(0.62, 0.95) if traits.woman else rng.uniform(0.9, 1.4)
    return EyeLook(
        iris=(float(red), float(green), float(blue)),
        pupil=float(rng.uniform(0.30, 0.46)),
        gaze=(float(rng.normal(0, 0.006)), float(rng.normal(0, 0.003))),
        fold=float(np.clip(0.034 - 0.016 * traits.ancestry[1] + rng.normal(0, 0.006), 0.012, 0.046)),
        lashes=float(rng.uniform(0.65, 1.0) if traits.woman else rng.uniform(0.35, 0.7)),
        liner=float(makeup * (rng.random() < 0.6)),
        shadow=float(makeup * rng.uniform(0.0, 0.8)),
        brow=(
            float(brow),
            float(rng.normal(0.0, 0.010) + 0.008 * traits.woman),
            float(rng.normal(-0.012, 0.010)),
        ),
        tired=float(rng.uniform(0.0, 0.6) + 0.4 * traits.age),
    )


def _lid_edges(u: Image) -> tuple[Image, Image]:
    """Return the upper and lower edge of the opening at template columns |u|; they meet at the corners."""
    columns, upper, lower = anatomy().lids
    columns = np.concatenate([[INNER], columns[2:-2], [OUTER]])
    upper = np.concatenate([[-0.066], upper[2:-2], [-0.082]])
    lower = np.concatenate([[-0.066], lower[2:-2], [-0.082]])
    across = np.abs(u)
    return np.interp(across, columns, upper), np.interp(across, columns, lower)


def paint_eye(canvas: Canvas, look: EyeLook, side: int, rng: Rng) -> None:
    """Paint one eye with lids, liner and lashes, at x > 0 if `side` is 1, at x < 0 if it is −1."""
    part = canvas.window(np.array([[INNER, -0.16], [OUTER, -0.03]]) * [side, 1], 0.09)
    u = side * part.u
    upper, lower = _lid_edges(u)
    below, above = part.v - upper, lower - part.v
    _lids(part, look, u, below, above)
    soft = 0.7 * part.pixel
    opening = step(-soft, soft, np.minimum(below, above)) * step(INNER - soft, INNER + soft, u)
    opening *= step(OUTER + soft, OUTER - soft, u)
    ball, relief = _ball(part, look, side, below, above, u, rng)
    part.cover(ball, opening)
    part.height[...] += (relief - part.height) * opening
    # The ball is in the shade of the upper lid, and a line of tears lies along the lower one.
    wet = step(0.3, 1.0, opening) * step(0.001, 0.008, below)
    part.gloss[...] += (1.0 - part.gloss) * wet
    _tears(part, u, above)
    _lash_line(part, look, u, below, above, side, rng)


def _tears(part: Canvas, u: Image, above: Image) -> None:
    """Paint the moist line at the lower lid, which bulges and mirrors what is above it."""
    inside = step(INNER, INNER + 0.02, u) * step(OUTER, OUTER - 0.02, u)
    line = np.exp(-(((above - 0.0015) / 0.003) ** 2)) * inside
    part.gloss[...] += (0.9 - part.gloss) * np.clip(1.2 * line, 0, 1)
    part.height[...] += 0.0022 * line
    part.cover(np.array([0.60, 0.50, 0.46], np.float32), 0.35 * line)


def eyes_of(canvas: Canvas) -> Canvas:
    """Return the part of a canvas in which closing the eyes changes anything."""
    return canvas.window(np.array([[-OUTER, -0.16], [OUTER, -0.03]]), 0.15)


def eye_opening(canvas: Canvas, side: int) -> Image:
    """Return 1 between the lids of one eye (side −1: left in the picture, 1: right), 0 elsewhere; H×W."""
    u = side * canvas.u
    upper, lower = _lid_edges(u)
    inside = (canvas.v > upper) & (canvas.v < lower) & (u > INNER) & (u < OUTER)
    return inside.astype(np.float32)


def shut_eye(canvas: Canvas, look: EyeLook, side: int, rng: Rng) -> Image:
    """Paint the lid of the closed eye.

    Returns:
        How far down each pixel of the canvas lies: 0 to 1 from the upper to the lower edge of the opening,
        −1 outside.
    """
    part = canvas.window(np.array([[INNER, -0.16], [OUTER, -0.03]]) * [side, 1], 0.09)
    u = side * part.u
    upper, lower = _lid_edges(u)
    inside = (part.v > upper) & (part.v < lower) & (u > INNER) & (u < OUTER)
    closing = np.full(canvas.size, -1.0, np.float32)
    row, column = part.corner[0] - canvas.corner[0], part.corner[1] - canvas.corner[1]
    closing[row : row + part.size[0], column : column + part.size[1]] = np.where(
        inside, (part.v - upper) / np.maximum(lower - upper, 1e-3), -1.0
    )
    lid = step(OUTER + 0.01, OUTER - 0.02, u) * step(INNER - 0.01, INNER + 0.02, u)
    shade = np.exp(-(((part.v - upper + 0.6 * look.fold) / 0.05) ** 2)) * lid
    part.tint(np.array([0.90, 0.80, 0.80], np.float32), shade * (0.5 + 0.5 * look.shadow))
    edge = np.exp(-(((part.v - lower + 0.001) / 0.0055) ** 2)) * lid
    part.tint(0.12, edge * (0.6 + 0.35 * look.lashes))
    t = np.linspace(0, 1, 6)
    root = np.linspace(INNER + 0.025, OUTER - 0.002, int(70 * look.lashes) + 20)
    _, bottom = _lid_edges(root)
    length = (0.020 + 0.012 * step(0.15, 0.27, root)) * rng.uniform(0.7, 1.15, root.size)
    lean = 0.9 * (root - 0.19) / 0.1 + rng.normal(0, 0.15, root.size)
    path_x = root[:, None] + (length * lean * 0.6)[:, None] * t
    path_y = bottom[:, None] + length[:, None] * t * (1.0 - 0.35 * t)
    lashes = part.lines(np.stack([side * path_x, path_y], -1))
    part.tint(0.08, np.clip(1.1 * look.lashes * lashes, 0, 0.95))
    part.gloss[...] *= 1.0 - 0.9 * lashes
    return closing


def _lids(part: Canvas, look: EyeLook, u: Image, below: Image, above: Image) -> None:
    """Paint fold, shade and rim of the lids; `below` and `above` are distances into the opening."""
    along = step(INNER - 0.01, INNER + 0.05, u) * step(OUTER + 0.03, OUTER - 0.03, u)
    fold = look.fold * (0.75 + 0.5 * np.clip((u - INNER) / 0.19, 0, 1))
    crease = np.exp(-(((below + fold) / 0.0050) ** 2)) * along
    soft = np.exp(-(((below + fold - 0.002) / 0.014) ** 2)) * along
    part.tint(np.array([0.55, 0.42, 0.40], np.float32), np.clip(0.50 * crease + 0.22 * soft, 0, 1))
    part.height[...] -= 0.004 * crease + 0.003 * soft
    lid = step(-fold - 0.01, -fold + 0.005, below) * step(0.004, -0.004, below) * along
    part.tint(np.array([0.93, 0.82, 0.80], np.float32), 0.6 * lid)
    part.gloss[...] += 0.05 * lid
    colour = np.array([0.35, 0.28, 0.30], np.float32)
    part.tint(
        colour, look.shadow * along * step(-fold - 0.035, -fold + 0.01, below) * step(0.004, -0.004, below)
    )
    rim = step(-0.0095, -0.0065, above) * step(0.002, -0.002, above) * along
    part.cover(np.array([0.52, 0.30, 0.27], np.float32) * part.albedo.mean() * 2.6, 0.40 * rim)
    part.gloss[...] += 0.45 * np.exp(-(((above + 0.001) / 0.0025) ** 2)) * along
    bag = np.exp(-(((above + 0.05) / 0.022) ** 2)) * step(INNER - 0.03, INNER + 0.04, u) * step(OUTER, 0.2, u)
    part.tint(np.array([0.74, 0.66, 0.70], np.float32), (0.12 + 0.45 * look.tired) * bag)


def _ball(
    part: Canvas, look: EyeLook, side: int, below: Image, above: Image, u: Image, rng: Rng
) -> tuple[Image, Image]:
    """Return colour and height of eyeball, iris and pupil, which are round whatever the head's shape."""
    centre = part.head.at(np.array([[side * CENTRE[0], CENTRE[1]]]))[0]
    dx, dy = part.x - centre[0] - look.gaze[0], part.y - centre[1] - look.gaze[1]
    radius, angle = np.hypot(dx, dy) / IRIS_RADIUS, np.arctan2(dy, dx)
    size = part.size
    iris = _iris(look, radius, angle, rng)
    veins = np.clip(noise(rng, size, 14, 3) - 0.6, 0.0, 1.0) * step(0.9, 1.9, radius)
    white = SCLERA * (1.0 - 0.30 * step(1.2, 2.4, radius) - 0.05 * noise(rng, size, 6))[..., None]
    white = white * (
        1.0 + (np.array([0.88, 0.62, 0.60], np.float32) - 1.0) * np.clip(0.5 * veins, 0, 1)[..., None]
    )
    corner = step(INNER + 0.040, INNER + 0.012, u)
    white = mix(white, np.array([0.48, 0.23, 0.20], np.float32), 0.8 * corner)
    # The ball turns away from the light on both sides.
    white = white * (1.0 - 0.35 * step(0.050, 0.105, np.abs(dx)))[..., None]
    ball = mix(white, iris, step(1.04, 0.94, radius))
    # The lids and their lashes shade the ball, the upper most.
    shaded = (1.0 - 0.62 * np.exp(-np.clip(below, 0, None) / 0.014)) * (
        1.0 - 0.30 * np.exp(-np.clip(above, 0, None) / 0.007)
    )
    from_middle = np.hypot(part.x - centre[0], part.y - centre[1])
    sphere = np.sqrt(np.clip(BALL_RADIUS**2 - from_middle**2, 1e-4, None)) - BALL_RADIUS
    rest = float(np.percentile(part.height[(below > 0) & (above > 0) & (from_middle < 0.02)], 50)) - 0.002
    cornea = 0.010 * np.sqrt(np.clip(1.0 - (radius / 1.05) ** 2, 0.0, None))
    return (ball * shaded[..., None]).astype(np.float32), (rest + sphere + cornea).astype(np.float32)


def _iris(look: EyeLook, radius: Image, angle: Image, rng: Rng) -> Image:
    base = np.array(look.iris, np.float32)
    spokes = rng.standard_normal((2, 181))
    turn = (angle / np.pi * 0.5 + 0.5) * 180
    fibres = np.interp(turn, np.arange(181), spokes[0]) * 0.6
    fibres = fibres + np.interp((turn * 3.0) % 180, np.arange(181), spokes[1]) * 0.5
    lit = 1.0 + 0.28 * fibres * step(0.35, 0.6, radius)
    inner = step(0.72, 0.45, radius) * 0.55
    colour = base * lit[..., None]
    warm = np.array([0.14, 0.075, 0.028], np.float32) * (0.5 + 0.5 * base.max() / 0.2)
    colour = mix(np.clip(colour, 0.004, None), warm, inner * step(0.08, 0.16, np.full_like(radius, base.max())))
    colour = colour * (1.0 - 0.78 * step(0.74, 1.0, radius))[..., None]
    pupil = step(look.pupil + 0.05, look.pupil - 0.05, radius)
    painted: Image = mix(colour, np.array([0.006, 0.005, 0.005], np.float32), pupil)
    return painted


def _lash_line(part: Canvas, look: EyeLook, u: Image, below: Image, above: Image, side: int, rng: Rng) -> None:
    along = step(INNER, INNER + 0.04, u) * step(OUTER + 0.012, OUTER - 0.01, u)
    heavy = 0.35 + 0.65 * np.clip((u - INNER) / 0.16, 0, 1)
    line = np.exp(-(((below + 0.0010) / (0.0045 + 0.0035 * look.liner)) ** 2)) * along * heavy
    part.tint(0.08, np.clip((0.75 + 0.4 * look.lashes + 0.5 * look.liner) * line, 0, 0.95))
    lower = np.exp(-(((above + 0.006) / 0.004) ** 2)) * along * heavy
    part.tint(0.35, (0.16 + 0.22 * look.lashes + 0.4 * look.liner) * lower)
    t = np.linspace(0, 1, 6)
    for edge, count, reach, curl in ((0, 110, 0.027, 1.0), (1, 55, 0.013, -1.0)):
        root = np.sort(rng.uniform(INNER + 0.02, OUTER + 0.002, count))
        at = _lid_edges(root)[edge] + (0.0 if edge == 0 else 0.005)
        length = reach * (0.45 + 0.7 * step(0.14, 0.27, root)) * rng.uniform(0.65, 1.15, count)
        lean = np.clip((root - 0.185) / 0.1, -0.9, 1.2) + rng.normal(0, 0.12, count)
        path_x = root[:, None] + (0.75 * length * lean)[:, None] * t
        # Upper lashes start downwards and forwards, then curve up.
        path_y = at[:, None] - curl * length[:, None] * (0.9 * t**1.6 - 0.18 * np.sin(np.pi * t) * (edge == 0))
        cover = part.lines(np.stack([side * path_x, path_y], -1))
        dark = np.clip((1.1 if edge == 0 else 0.5) * look.lashes * cover, 0, 0.95)
        part.tint(0.08, dark)
        part.gloss[...] *= 1.0 - 0.9 * dark


def paint_brow(canvas: Canvas, look: EyeLook, colour: NDArray[np.floating], side: int, rng: Rng) -> None:
    """Paint one brow hair by hair, over its own soft shade."""
    t = np.linspace(0.0, 1.0, 60)
    weight, arch, tilt = look.brow
    spine_x = 0.070 + 0.255 * t
    spine_y = (
        -0.178
        - 0.040 * np.sin(np.pi * np.clip(t / 1.28, 0, 1)) ** 1.3
        - arch * np.sin(np.pi * t)
        - tilt * (t - 0.4)
    )
    half = 0.019 * weight * np.interp(t, [0, 0.12, 0.45, 0.8, 1.0], [0.55, 1.0, 0.95, 0.55, 0.12])
    part = canvas.window(np.stack([side * spine_x, spine_y], -1), 0.07)
    count = int(330 * (0.6 + 0.4 * weight))
    place = rng.beta(1.0, 1.15, count)
    across = np.clip(rng.normal(0.0, 0.62, count), -1.5, 1.5)
    root_x = np.interp(place, t, spine_x)
    root_y = np.interp(place, t, spine_y) + across * np.interp(place, t, half)
    slope = np.interp(place, t, np.gradient(spine_y, spine_x))
    # Hairs rise at the inner end and lie along the brow further out; those above point down, below up.
    rise = np.interp(place, [0, 0.15, 0.4, 1.0], [1.5, 0.75, 0.25, -0.05]) + 0.45 * across * step(
        0.2, 0.5, place
    )
    angle = np.arctan2(slope - rise, 1.0) + rng.normal(0, 0.16, count)
    length = rng.uniform(0.022, 0.042, count) * np.interp(place, [0, 0.2, 0.7, 1], [0.75, 1.1, 1.0, 0.6])
    s = np.linspace(0, 1, 5)
    bend = rng.normal(0.0, 0.25, count)[:, None] * s
    path_x = root_x[:, None] + (length[:, None] * s) * np.cos(angle[:, None] + bend)
    path_y = root_y[:, None] + (length[:, None] * s) * np.sin(angle[:, None] + bend)
    hairs = part.lines(np.stack([side * path_x, path_y], -1))
    under = blur(hairs, 0.006 / part.pixel)
    dark = np.asarray(colour, np.float32)
    part.cover(dark, np.clip(0.22 * under, 0, 1))
    part.cover(dark * 0.6, np.clip(0.80 * hairs, 0, 1))
    part.height[...] += 0.006 * under
    part.gloss[...] *= 1.0 - np.clip(0.6 * under + 0.8 * hairs, 0, 0.95)


def eye_shade(canvas: Canvas) -> None:
    """Darken the hollow between brow and nose, which would be too bright with the relief alone."""
    for side in (-1, 1):
        part = canvas.window(np.array([[side * 0.09, -0.10]]), 0.12)
        part.tint(
            np.array([0.80, 0.72, 0.70], np.float32),
            0.35 * blob(part.u, part.v, (side * 0.085, -0.10), (0.03, 0.06)),
        )
