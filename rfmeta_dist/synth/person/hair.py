"""Hair: guides grown from the scalp by the rules of a style, and strands drawn around them by the thousand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.strands import brush
from rfmeta_dist.synth.imaging.texture import Image, Rng, noise, sample, step
from rfmeta_dist.synth.person.canvas import Canvas, Layer
from rfmeta_dist.synth.person.styles import STYLES, Hair, Style, Vectors, hairline

TIP = 0.08  # length over which strands end
KNOT = 0.17  # radius of a bun
SKULL, RADII = np.array([0.0, -0.215, 0.0]), np.array([0.478, 0.585, 0.56])


def paint_hair(canvas: Canvas, hair: Hair, rng: Rng) -> Layer | None:
    """The hair of a head over the canvas as it is; None for a bald one."""
    if hair.style in {"bald", "scarf"}:
        return None
    style = STYLES["buzz" if hair.style == "balding" else hair.style]
    guides = _guides(hair, style, rng)
    paths, tone, thin = _strands(hair, style, guides, rng)
    points = canvas.head.at_depth(paths.reshape(-1, 3)).reshape(paths.shape)
    pixels = (points[..., :2] + EXTENT) / canvas.pixel - 0.5
    middle = (points[:, 1:] + points[:, :-1]) / 2
    template = (paths[:, 1:] + paths[:, :-1]) / 2
    seen = _seen(canvas, hair, middle, template)
    order = np.argsort(thin, kind="stable")
    grey, cover = brush(
        pixels[order],
        tone[order],
        canvas.size,
        canvas.fine,
        seen[order],
        _solid(hair, style, paths, rng)[order],
    )
    return _finish(canvas, hair, style, (grey, cover), middle[seen], rng)


def _solid(hair: Hair, style: Style, paths: Vectors, rng: Rng) -> Image:
    """How solid each piece of a strand is: thin at its tip, and thin and sparse at the hairline; K×(P−1)."""
    t = np.linspace(0.0, 1.0, paths.shape[1] - 1, dtype=np.float32)
    tip = min(0.45, TIP / style.length)
    solid = np.where(t > 1.0 - tip / 2, 0.27, np.where(t > 1.0 - tip, 0.54, 1.0))
    edge = paths[:, 0, 1] - hairline(hair, paths[:, 0, 0])
    faint = (edge > rng.uniform(-0.07, 0.0, len(edge)))[:, None] & (t < 0.5)
    result: Image = np.where(faint, np.where(t < 0.25, 0.27, 0.54), solid).astype(np.float32)
    return result


def _guides(hair: Hair, style: Style, rng: Rng) -> Vectors:
    """Paths G×P×3 of the guide hairs, from roots spread over the scalp."""
    count = 1600 if style.length < 0.15 else 900
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), index * np.pi * (3 - np.sqrt(5))
    around = np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)], -1)
    around += rng.normal(0, 0.03, around.shape)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    root = SKULL + RADII * around
    front = around[:, 2] > -0.12
    ragged = np.abs(rng.normal(0, 0.022, count))
    scalp = np.where(front, root[:, 1] + ragged < hairline(hair, root[:, 0]), root[:, 1] < 0.15)
    root, around, front = root[scalp], around[scalp], front[scalp]
    steps = 16
    if style.comb == "bun":
        return _gathered(hair, style, root, rng)
    length = hair.stretch * style.length * rng.uniform(0.75, 1.1, len(root))
    if style.comb in {"forward", "fringed"}:
        # The fringe ends above the eyes.
        fringe = front & (np.abs(root[:, 0]) < 0.34) & (root[:, 1] < -0.3)
        length = np.where(
            fringe, np.clip(-0.17 + rng.normal(0, 0.02, len(root)) - root[:, 1], 0.05, 0.45), length
        )
    lift = hair.stretch * style.volume * rng.uniform(0.15, 1.0, len(root)) ** 0.7
    led = _led(hair, style.comb, root, around, rng)
    upright = 1.0 if style.comb == "radial" else 0.35
    direction, point = led + upright * around + rng.normal(0, 0.1, around.shape), root.copy()
    path = [point]
    for k in range(steps):
        outward = (point - SKULL) / RADII**2
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        # A comb sets the way hair leaves; what hangs free falls.
        kept = np.exp(-((k / steps * length / 0.22) ** 2))[:, None] if style.gravity > 0.4 else 1.0
        weight = style.gravity * (0.3 + 1.6 * k / steps)
        pull = style.stiffness * led * kept + np.array([0.0, weight, 0.0])
        direction = direction * 0.55 + 0.45 * pull
        inwards = np.minimum((direction * outward).sum(1, keepdims=True), 0.0)
        near = np.linalg.norm((point - SKULL) / RADII, axis=1, keepdims=True) < 1.0 + lift[:, None] / 0.5
        direction -= inwards * outward * near
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        point = point + direction * (length / steps)[:, None]
        if style.comb in {"parted", "fringed"}:
            point = _off_the_face(point, root, hair, rng)
        # Hair that starts in front falls before the shoulder, the rest behind it.
        forward = np.where(root[:, 2] > 0.17, 0.03, -0.004) * step(0.3, 0.7, point[:, 1])
        point[:, 2] += forward
        grown = min(1.0, (k + 1) / 4.0)
        level = np.linalg.norm((point - SKULL) / RADII, axis=1) / (1.0 + (0.01 + lift * grown) / 0.5)
        inside = level < 1.0
        point[inside] = SKULL + (point[inside] - SKULL) / level[inside, None]
        path.append(point)
    return np.stack(path, 1)


def _gathered(hair: Hair, style: Style, root: Vectors, rng: Rng) -> Vectors:
    """Hair led over the skull to a knot on the crown or low behind the head, and the knot itself."""
    t = np.linspace(0.0, 1.0, 17)[:, None]
    high = hair.stretch > 1.0
    knot = np.array([0.0, -0.86, -0.5]) if high else np.array([0.0, 0.35, -0.9])
    knot /= np.linalg.norm(knot)
    outward = (root - SKULL) / RADII
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    # The shortest way over a sphere.
    angle = np.arccos(np.clip(outward @ knot, -0.999, 0.999))[:, None, None]
    way = np.sin((1 - t) * angle) * outward[:, None] + np.sin(t * angle) * knot
    lift = style.volume * rng.uniform(0.2, 1.0, len(root))[:, None, None] * np.clip(4 * t, 0, 1)
    led = SKULL + RADII * way / np.sin(angle) * (1.01 + lift / 0.5)
    turns = 190
    axis = rng.normal(0.0, (0.35, 1.0, 0.35), (turns, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    first = np.cross(axis, rng.standard_normal((turns, 3)))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(axis, first)
    size = KNOT * hair.stretch * rng.uniform(0.75, 1.0, (turns, 1, 1)) * [1.15, 0.9, 1.0]
    round_it = 2.6 * t + rng.uniform(0, 2 * np.pi, (turns, 1, 1))
    coil = np.cos(round_it) * first[:, None] + np.sin(round_it) * second[:, None]
    return np.concatenate([led, SKULL + RADII * knot * 1.18 + size * coil])


def _off_the_face(point: Vectors, root: Vectors, hair: Hair, rng: Rng) -> Vectors:
    """Hair led aside hangs beside the face, not before it."""
    side = np.sign(root[:, 0] - hair.part + 1e-6)
    beside = 0.385 + 0.05 * np.clip(rng.standard_normal(len(point)), -1, 1)
    short = np.clip(beside - side * point[:, 0], 0.0, None)
    before = step(-0.62, -0.36, point[:, 1]) * (point[:, 2] > 0.1)
    moved = point.copy()
    moved[:, 0] += side * short * 0.55 * before
    return moved


def _led(hair: Hair, comb: str, root: Vectors, outward: Vectors, rng: Rng) -> Vectors:
    """Unit vectors along which each root's hair is led."""
    x, zero, one = root[:, 0], np.zeros(len(root)), np.ones(len(root))
    away = np.sign(x - hair.part + 1e-6) * np.clip(np.abs(x - hair.part) / 0.05, 0.3, 1.0)
    side = np.sign(hair.part + 1e-6)
    match comb:
        case "crew":
            led = np.stack([0.5 * x + 0.2 * side, -0.5 * one, 0.45 * one], -1)
        case "swept":
            led = np.stack([-side * one, -0.35 * one, 0.15 * one], -1)
        case "back":
            led = np.stack([0.35 * x, -0.25 * one, -1.0 * one], -1)
        case "parted":
            led = np.stack([away, 0.1 * one, -0.25 * one], -1)
        case "forward" | "fringed":
            led = np.stack([0.35 * x + 0.15 * side, 0.5 * one, 0.8 * one], -1)
            if comb == "fringed":
                behind = (np.abs(x) > 0.30) | (root[:, 2] < 0.20)
                led[behind] = np.stack([np.sign(x) * 0.6, 0.8 * one, zero], -1)[behind]
        case "messy":
            led = (
                outward
                + np.stack([-0.4 * side * one, -0.2 * one, 0.5 * one], -1)
                + rng.normal(0, 0.45, root.shape)
            )
        case _:
            led = outward.copy()
    beside = step(0.34, 0.44, np.abs(x))[:, None] * (comb in {"crew", "swept", "forward", "messy", "back"})
    # Hair combed back goes behind the ears.
    fall, deep = (0.35, -1.0) if comb == "back" else (0.8, -0.5)
    down = np.stack([0.1 * np.sign(x), fall * one, deep * one], -1)
    led = led + (down - led) * beside
    unit: Vectors = led / (np.linalg.norm(led, axis=1, keepdims=True) + 1e-9)
    return unit


def _strands(hair: Hair, style: Style, guides: Vectors, rng: Rng) -> tuple[Vectors, Image, Vectors]:
    """Strands K×P×3 around the guides, a tone for every piece and how far inside each lies."""
    if style.curl[1] >= 3.0:
        guides = _resampled(guides, 1 + int(7 * style.curl[1]))
    count, steps = len(guides), guides.shape[1]
    owner = np.arange(style.strands) % count
    t = np.linspace(0.0, 1.0, steps)
    spacing = 1.1 * np.sqrt(2.5 / count)
    scatter = rng.normal(0, 0.55 * spacing, (style.strands, 3)) * [1, 1, 0.6]
    loose = 1.0 - style.clump * np.clip(t * 2.2, 0, 1)
    paths = guides[owner] + scatter[:, None] * loose[:, None]
    amplitude, turns = style.curl
    phase = rng.uniform(0, 2 * np.pi, count)[owner] + rng.normal(0, 0.35, style.strands)
    pace = turns * rng.uniform(0.8, 1.2, count)[owner]
    wave = 2 * np.pi * pace[:, None] * t + phase[:, None]
    size = amplitude * hair.stretch * np.clip(t * 3, 0, 1) * rng.uniform(0.7, 1.2, style.strands)[:, None]
    paths[..., 0] += size * np.sin(wave)
    paths[..., 1] += 0.5 * size * np.cos(wave)
    paths[..., 2] += size * np.cos(wave)
    stray = np.where(rng.random(style.strands) < 0.04, 1.0, 0.18)[:, None]
    bow, sway = rng.normal(0, 0.05, (2, style.strands, 3)) * stray * min(1.0, 0.3 + 2 * style.length)
    paths = paths + bow[:, None] * (t**2)[:, None] + 0.4 * sway[:, None] * np.sin(5.0 * t)[:, None]
    along = np.diff(paths, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-9
    # Light mostly comes from above and in front; strands across it shine.
    sheen = (1.0 - (along @ np.array([0.1, -0.75, 0.65])) ** 2) ** 4
    depth = np.linalg.norm((paths[:, steps // 3] - SKULL) / RADII, axis=1) + rng.normal(0, 0.02, style.strands)
    rank = np.argsort(np.argsort(depth)) / style.strands
    tone = 0.17 + 0.22 * rank + rng.normal(0, 0.05, count)[owner] + rng.normal(0, 0.05, style.strands)
    behind = step(-0.05, -0.35, paths[:, 1:, 2]) * step(-0.1, 0.4, paths[:, 1:, 1])
    grey = (rng.random(style.strands) < hair.grey) * 0.14
    shade = tone[:, None] + grey[:, None] + 0.20 * sheen + 0.07 * (t[1:] - 0.5)
    return paths, np.clip(shade * (1.0 - 0.6 * behind), 0.0, 1.0).astype(np.float32), depth


def _resampled(paths: Vectors, steps: int) -> Vectors:
    """Paths with more, evenly spread points, for curls to be round."""
    at = np.linspace(0, paths.shape[1] - 1, max(steps, paths.shape[1]))
    low = np.minimum(at.astype(int), paths.shape[1] - 2)
    share = (at - low)[None, :, None]
    finer: Vectors = paths[:, low] * (1 - share) + paths[:, low + 1] * share
    return finer


def _seen(canvas: Canvas, hair: Hair, middle: Image, template: Vectors) -> NDArray[np.bool_]:
    """Which pieces are not behind head, neck or clothes."""
    column, row = (((middle[..., i] + EXTENT) / canvas.pixel - 0.5).astype(np.float32) for i in (0, 1))
    # A piece at the very edge of the face is behind it, too.
    surface = sample(cv2.dilate(canvas.height, np.ones((9, 9))), column, row)
    body = sample(canvas.body, column, row)
    on_scalp = (template[..., 1] < hairline(hair, template[..., 0]) + 0.03) & (
        template[..., 2] > SKULL[2] - 0.3
    )
    seen: NDArray[np.bool_] = (body < 0.5) | (middle[..., 2] > surface - 0.01) | on_scalp
    return seen


def _finish(
    canvas: Canvas, hair: Hair, style: Style, drawn: tuple[Image, Image], middle: Image, rng: Rng
) -> Layer:
    """Strands over a dark base on the scalp, with the height of the hair's surface."""
    grey, strands = drawn
    size = canvas.size
    u, v = canvas.u, canvas.v
    ragged = 0.018 * noise(rng, size, 60, 2)
    line = hairline(hair, u)
    scalp = step(0.03, -0.07, v - line + ragged) * canvas.head.cover * step(0.1, 0.0, v)
    thin = 0.62 if style.length < 0.05 else 0.90
    if hair.style == "balding":
        thin = 0.45
    base = thin * scalp * np.clip(0.92 + 0.12 * noise(rng, size, size[1] / 3.2), 0, 1)
    if style.length > 0.15:
        # Between the drawn strands is more hair; behind a neck most is not drawn at all.
        reach = 0.03 if style.length < 0.7 else 0.12
        solid = _closed(strands, reach / canvas.pixel) * np.where(canvas.body > 0.5, 0.75, step(1.1, 0.8, v))
        base = np.maximum(base, 0.95 * solid)
    cover = 1.0 - (1.0 - base) * (1.0 - strands)
    colour = np.asarray(hair.colour, np.float32)
    grain = noise(rng, size, size[1] / 2.5)
    lit = np.clip(0.26 + 2.6 * (grey - 0.17), 0.15, 2.4) * (1.0 + 0.05 * grain)
    height = _surface(canvas, middle)
    deep = 0.50 * (1.0 - 0.7 * step(0.02, -0.28, height))
    lit = deep + (lit - deep) * strands
    # Light strands bleach, dark ones stay: contrast in hue as well.
    albedo = colour * lit[..., None] ** np.array([0.92, 1.0, 1.08], np.float32)
    # Near the hairline hair lies close to the head.
    steep = np.clip(0.34 - canvas.height, 0.0, None)
    away = np.clip(line + 0.02 - v, 0.0, None)
    close = canvas.height + 0.02 + 0.45 * away + 5.0 * np.clip(away - 0.06, 0.0, None) + 2.0 * steep
    height = np.where((canvas.body > 0.5) & (v < line + 0.08), np.minimum(height, close), height)
    height = wide_blur(height.astype(np.float32), 0.012 / canvas.pixel)
    height = height + 0.004 * (grey - 0.4) * strands
    gloss = 0.02 + 0.07 * np.clip(lit - 0.6, 0, 1)
    return Layer(albedo.astype(np.float32), cover.astype(np.float32), height.astype(np.float32), gloss)


def _closed(cover: Image, reach: float) -> Image:
    """Cover with its gaps of up to `reach` pixels filled, and no more beyond its outline."""
    few = max(1, round(reach / 8))
    small = cv2.resize(cover, None, fx=1 / few, fy=1 / few, interpolation=cv2.INTER_AREA)
    side = 2 * round(reach / few / 2) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx((small > 0.35).astype(np.float32), cv2.MORPH_CLOSE, kernel)
    # Single strands beyond the mass are no mass.
    closed = cv2.erode(cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 5))), np.ones((3, 3)))
    soft = cv2.GaussianBlur(closed, (0, 0), max(1.0, 0.015 * cover.shape[0] / EXTENT / few / 2))
    return step(0.35, 1.0, cv2.resize(soft, cover.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _surface(canvas: Canvas, middle: Image) -> Image:
    """Height of the outermost hair, smooth over gaps."""
    side = 224
    scale = side / 2 / EXTENT
    column = np.clip(((middle[:, 0] + EXTENT) * scale).astype(int), 0, side - 1)
    row = np.clip(((middle[:, 1] + EXTENT) * scale).astype(int), 0, side - 1)
    top = np.full(side * side, -9.0, np.float32)
    np.maximum.at(top, row * side + column, middle[:, 2].astype(np.float32))
    known = (top > -8).astype(np.float32).reshape(side, side)
    outer = np.where(known > 0, top.reshape(side, side), 0).astype(np.float32)
    height, weight = np.zeros_like(outer), np.zeros_like(outer)
    for sigma, share in ((5.0, 1.0), (12.0, 1e-2), (30.0, 1e-4)):
        height += share * cv2.GaussianBlur(outer, (0, 0), sigma)
        weight += share * cv2.GaussianBlur(known, (0, 0), sigma)
    smooth = (height / np.maximum(weight, 1e-9)).astype(np.float32)
    resized: Image = cv2.resize(smooth, canvas.size[::-1], interpolation=cv2.INTER_CUBIC)
    return resized
