"""Paint hair: guide hairs grown by the rules of a style, and thousands of strands drawn around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.strands import brush
from rfmeta_dist.synth.imaging.texture import Image, Rng, noise, sample, step
from rfmeta_dist.synth.person.canvas import Canvas, Layer
from rfmeta_dist.synth.person.growth import RADII, SKULL, grow
from rfmeta_dist.synth.person.styles import STYLES, Hair, Style, Vectors, hairline

TIP = 0.08  # length over which strands end


def paint_hair(canvas: Canvas, hair: Hair, rng: Rng) -> Layer | None:
    """Return the hair of a head over the canvas as it is; None for a bald head."""
    if hair.style in {"bald", "scarf"}:
        return None
    style = STYLES["buzz" if hair.style == "balding" else hair.style]
    guides = grow(hair, style, rng)
    paths, tone, thin = _strands(hair, style, guides, rng)
    points = canvas.head.at_depth(paths.reshape(-1, 3)).reshape(paths.shape)
    pixels = (points[..., :2] + EXTENT) / canvas.pixel - 0.5
    middle = (points[:, 1:] + points[:, :-1]) / 2
    template = (paths[:, 1:] + paths[:, :-1]) / 2
    seen = _seen(canvas, hair, middle, template)
    canvas = canvas.rows(-EXTENT, float(np.max(middle[..., 1], where=seen, initial=0.0)) + 0.1)
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


def _solid(hair: Hair, style: Style, paths: Image, rng: Rng) -> Image:
    """Return how solid each piece of a strand is, K×(P−1): less at its tip and at the hairline."""
    t = np.linspace(0.0, 1.0, paths.shape[1] - 1, dtype=np.float32)
    tip = min(0.45, TIP / style.length)
    solid = np.where(t > 1.0 - tip / 2, 0.27, np.where(t > 1.0 - tip, 0.54, 1.0))
    edge = paths[:, 0, 1] - hairline(hair, paths[:, 0, 0])
    faint = (edge > rng.uniform(-0.07, 0.0, len(edge)))[:, None] & (t < 0.5)
    solid = np.where(faint, np.where(t < 0.25, 0.27, 0.54), solid)
    # Some strands stand for few hairs. They lie below the others and are visible where the others end.
    few = np.clip(np.floor(rng.uniform(0.0, 5.0, (len(paths), 1))), 0, 2)
    result: Image = np.minimum(solid, np.array([0.27, 0.54, 1.0])[few.astype(int)]).astype(np.float32)
    return result


def _strands(hair: Hair, style: Style, guides: Vectors, rng: Rng) -> tuple[Image, Image, Vectors]:
    """Return strands K×P×3 around the guides, a tone for every piece, and how far inside each strand lies."""
    if style.curl[1] >= 3.0:
        guides = _resampled(guides, 1 + int(7 * style.curl[1]))
    count, steps = len(guides), guides.shape[1]
    owner = np.arange(style.strands) % count
    t = np.linspace(0.0, 1.0, steps)
    spacing = 1.1 * np.sqrt(2.5 / count)
    scatter = rng.normal(0, 0.55 * spacing, (style.strands, 3)) * [1, 1, 0.6]
    # The strands around a guide grow beside it, not above it.
    outward = (guides[owner, 0] - SKULL) / RADII**2
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    scatter -= 0.85 * (scatter * outward).sum(1, keepdims=True) * outward
    loose = 1.0 - style.clump * np.clip(t * 2.2, 0, 1)
    paths = (guides[owner] + scatter[:, None] * loose[:, None]).astype(np.float32)
    amplitude, turns = style.curl
    phase = rng.uniform(0, 2 * np.pi, count)[owner] + rng.normal(0, 0.35, style.strands)
    pace = turns * rng.uniform(0.8, 1.2, count)[owner]
    wave = 2 * np.pi * pace[:, None] * t + phase[:, None]
    size = amplitude * hair.stretch * np.clip(t * 3, 0, 1) * rng.uniform(0.7, 1.2, style.strands)[:, None]
    if amplitude:
        sideways, forwards = size * np.sin(wave.astype(np.float32)), size * np.cos(wave.astype(np.float32))
        paths += np.stack([sideways, 0.5 * forwards, forwards], -1).astype(np.float32)
    stray = np.where(rng.random(style.strands) < 0.07, 1.0, 0.25)[:, None]
    bow, sway = rng.normal(0, 0.05, (2, style.strands, 3)) * stray * min(1.0, 0.3 + 2 * style.length)
    straying = bow[:, None] * (t**2)[:, None] + 0.4 * sway[:, None] * np.sin(5.0 * t)[:, None]
    paths += straying.astype(np.float32)
    along = np.diff(paths, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-9
    # Light mostly comes from above and in front; strands across it shine.
    sheen = (1.0 - (along @ np.array([0.1, -0.75, 0.65], np.float32)) ** 2) ** 4
    depth = np.linalg.norm((paths[:, steps // 3] - SKULL) / RADII, axis=1) + rng.normal(0, 0.02, style.strands)
    rank = np.argsort(np.argsort(depth)) / style.strands
    tone = 0.17 + 0.22 * rank + rng.normal(0, 0.05, count)[owner] + rng.normal(0, 0.05, style.strands)
    behind = step(-0.05, -0.35, paths[:, 1:, 2]) * step(-0.1, 0.4, paths[:, 1:, 1])
    grey = (rng.random(style.strands) < hair.grey) * 0.14
    shade = tone[:, None] + grey[:, None] + 0.20 * sheen + 0.07 * (t[1:] - 0.5)
    return paths, np.clip(shade * (1.0 - 0.6 * behind), 0.0, 1.0).astype(np.float32), depth


def _resampled(paths: Vectors, steps: int) -> Vectors:
    """Return paths with more, evenly spread points, so that curls are round."""
    at = np.linspace(0, paths.shape[1] - 1, max(steps, paths.shape[1]))
    low = np.minimum(at.astype(int), paths.shape[1] - 2)
    share = (at - low)[None, :, None]
    finer: Vectors = paths[:, low] * (1 - share) + paths[:, low + 1] * share
    return finer


def _seen(canvas: Canvas, hair: Hair, middle: Image, template: Vectors) -> NDArray[np.bool_]:
    """Return which pieces are not behind head, neck or clothes."""
    column, row = (((middle[..., i] + EXTENT) / canvas.pixel - 0.5).astype(np.float32) for i in (0, 1))
    # A piece at the very edge of the face counts as behind the face.
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
    """Return strands over a dark base on the scalp, with the height of the hair's surface."""
    grey, strands = drawn
    size = canvas.size
    u, v = canvas.u, canvas.v
    ragged = 0.018 * noise(rng, size, 60, 2)
    line = hairline(hair, u)
    scalp = step(0.03, -0.07, v - line + ragged) * canvas.head.cover[canvas.part()] * step(0.1, 0.0, v)
    thin = 0.62 if style.length < 0.05 else 0.90
    if hair.style == "balding":
        thin = 0.45
    base = thin * scalp * np.clip(0.92 + 0.12 * noise(rng, size, size[1] / 3.2), 0, 1)
    if style.length > 0.15:
        # There is more hair between the drawn strands, and most hair behind a neck is not drawn.
        reach = 0.03 if style.length < 0.7 else 0.12
        solid = _closed(strands, reach / canvas.pixel) * np.where(canvas.body > 0.5, 0.75, step(1.1, 0.8, v))
        # Where strands end there is no such hair.
        solid *= step(0.15, 0.55, wide_blur(strands, 0.014 / canvas.pixel))
        base = np.maximum(base, 0.95 * solid)
    cover = 1.0 - (1.0 - base) * (1.0 - strands)
    colour = np.asarray(hair.colour, np.float32)
    grain = noise(rng, size, size[1] / 2.5)
    lit = np.clip(0.26 + 2.6 * (grey - 0.17), 0.15, 2.4) * (1.0 + 0.05 * grain)
    height = _surface(canvas, middle)
    deep = 0.50 * (1.0 - 0.7 * step(0.02, -0.28, height))
    lit = deep + (lit - deep) * strands
    # Light strands are bleached and dark ones are not, so strands also differ in hue.
    albedo = colour * lit[..., None] ** np.array([0.92, 1.0, 1.08], np.float32)
    # Near the hairline hair lies close to the head.
    steep = np.clip(0.34 - canvas.height, 0.0, None)
    away = np.clip(line + 0.02 - v, 0.0, None)
    close = canvas.height + 0.02 + 0.45 * away + 5.0 * np.clip(away - 0.06, 0.0, None) + 2.0 * steep
    height = np.where((canvas.body > 0.5) & (v < line + 0.08), np.minimum(height, close), height)
    height = wide_blur(height.astype(np.float32), 0.012 / canvas.pixel)
    height = height + 0.004 * (grey - 0.4) * strands
    gloss = 0.02 + 0.07 * np.clip(lit - 0.6, 0, 1)
    return Layer(
        albedo.astype(np.float32), cover.astype(np.float32), height.astype(np.float32), gloss, canvas.corner
    )


def _closed(cover: Image, reach: float) -> Image:
    """Return the cover with gaps of up to `reach` pixels filled, but not extended beyond its outline."""
    few = max(1, round(reach / 8))
    small = cv2.resize(cover, None, fx=1 / few, fy=1 / few, interpolation=cv2.INTER_AREA)
    side = 2 * round(reach / few / 2) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx((small > 0.35).astype(np.float32), cv2.MORPH_CLOSE, kernel)
    # Single strands outside the mass of hair do not count as part of the mass.
    closed = cv2.erode(cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 5))), np.ones((3, 3)))
    soft = cv2.GaussianBlur(closed, (0, 0), max(1.0, 0.015 * cover.shape[1] / EXTENT / few / 2))
    return step(0.35, 1.0, cv2.resize(soft, cover.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _surface(canvas: Canvas, middle: Image) -> Image:
    """Return the height of the outermost hair, smooth over gaps."""
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
    whole = canvas.head.cover.shape[0]
    resized: Image = cv2.resize(smooth, (whole, whole), interpolation=cv2.INTER_CUBIC)
    return resized[canvas.part()]
