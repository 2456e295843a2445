"""Paint clothes: tops with their collars and folds, and head scarves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.texture import Image, Rng, noise, resize, step
from rfmeta_dist.synth.person.canvas import Canvas, Layer
from rfmeta_dist.synth.person.tissue import lay, tissue

Colour = NDArray[np.float32]
CONTACT = np.array([0.50, 0.40, 0.38], np.float32)  # what is left of the light next to what is worn
TOPS = ("crew", "crew", "vee", "shirt", "shirt", "turtle", "hood", "jacket", "scoop")


def paint_clothes(whole: Canvas, woman: bool, rng: Rng) -> Layer:
    """Paint a top of a random kind, colour and pattern over neck and shoulders."""
    kind = str(rng.choice(TOPS))
    if kind == "scoop" and not woman:
        kind = "crew"
    canvas = whole.rows(0.45, EXTENT)
    u, v, a = canvas.u, canvas.v, np.abs(canvas.u)
    colour = draw_cloth(rng)
    thick = {"jacket": 0.05, "hood": 0.06, "shirt": 0.025}.get(kind, 0.03)
    head = whole.head.cover[canvas.part()]
    reach = wide_blur(head, 1.2 * thick / canvas.pixel)
    # Beside the neck, the cloth begins where it lies on the shoulder.
    top = {"hood": 0.755, "turtle": 0.70, "shirt": 0.79, "jacket": 0.79}.get(kind, 0.825) + 0.2 * (a - 0.3)
    body = np.maximum(head, step(0.13, 0.17, reach)) * step(-0.008, 0.008, v - top)
    edge = _neckline(kind, a, v, rng)
    cover = body * step(-0.004, 0.004, edge)
    folds, (thread, raised) = _folds(canvas, rng), _weave(canvas, kind, rng)
    albedo: Image = colour * (_pattern(canvas, rng) * thread * (1.0 + 0.05 * folds))[..., None]
    lifted = canvas.height + thick + 0.030 * folds + raised
    if kind in {"crew", "vee", "turtle", "scoop"}:
        band = step(0.05, 0.046, edge)
        rib = 1.0 + 0.06 * np.sin(220 * (np.arctan2(v - 0.6, u) if kind != "turtle" else u))
        albedo = albedo * (1.0 - band[..., None] * (1.0 - 0.9 * rib[..., None]))
        lifted += 0.012 * band - 0.01 * np.exp(-(((edge - 0.05) / 0.005) ** 2))
    if kind in {"shirt", "jacket"}:
        albedo, lifted = _collared(canvas, kind, colour, albedo, lifted, edge, rng)
    if kind == "hood":
        roll = np.exp(-(((edge - 0.07) / 0.07) ** 2))
        lifted += 0.09 * roll
        albedo = albedo * (1.0 - 0.25 * np.exp(-(((edge - 0.16) / 0.02) ** 2)))[..., None]
        cord = step(0.010, 0.006, np.abs(a - 0.10 - 0.02 * np.sin(9 * v))) * step(1.0, 1.02, v)
        albedo = albedo + (0.6 - albedo) * (0.8 * cord)[..., None]
        lifted += 0.012 * cord
    shade = np.exp(-np.clip(edge, 0, None) / 0.012)
    albedo = albedo * (1.0 - 0.25 * shade)[..., None]
    return _layer(canvas, albedo, cover, lifted)


def _layer(canvas: Canvas, albedo: Image, cover: Image, height: Image) -> Layer:
    albedo, cover, height = (image.astype(np.float32) for image in (albedo, cover, height))
    return Layer(albedo, cover, height, 0.03, canvas.corner)


def draw_cloth(rng: Rng) -> Colour:
    """Choose the linear RGB of cloth at random: often dull, sometimes strong, seldom pure black or white."""
    value, tint = rng.uniform(0.015, 0.55) ** 1.0, rng.dirichlet((1.2, 1.2, 1.2)) * 3.0
    colour: Colour = (value * (1.0 + rng.uniform(0.0, 0.8) * (tint - 1.0))).astype(np.float32)
    return np.clip(colour, 0.008, 0.7)


def _neckline(kind: str, a: Image, v: Image, rng: Rng) -> Image:
    """Return the distance into the cloth from its opening, in face units."""
    wide = rng.uniform(0.95, 1.08)
    match kind:
        case "vee":
            deep = rng.uniform(1.08, 1.25)
            edge = (v - (deep - (deep - 0.80) / 0.33 * a)) * 0.55
        case "turtle":
            edge = v - 0.71 - 0.05 * np.clip(a / 0.3, 0, 1) ** 2
        case "scoop":
            edge = np.hypot(a / 1.1, v - 0.70) - 0.36 * wide
        case "shirt" | "jacket":
            edge = (v - (1.10 - 1.05 * a)) * 0.65
        case "hood":
            edge = np.hypot(a / 1.0, (v - 0.70) / 1.05) - 0.29 * wide
        case _:
            edge = np.hypot(a / 1.05, v - 0.70) - 0.285 * wide
    result: Image = edge
    return result


def _folds(canvas: Canvas, rng: Rng) -> Image:
    """Return soft creases, mostly running from the shoulders to the chest; some are sharp."""
    size = canvas.size[0] // 2, canvas.size[1] // 2
    u, v = (cv2.resize(each, size[::-1], interpolation=cv2.INTER_AREA) for each in (canvas.u, canvas.v))
    warp = np.float32(0.10) * noise(rng, size, 4, 2)
    across = np.abs(u) * 0.9 - v * 0.5 + warp
    ridged = 1.0 - np.abs(np.sin(across * rng.uniform(9, 15) + noise(rng, size, 3)))
    folds = ridged**2 * np.clip(noise(rng, size, 5, 2), -0.3, 1.0) + 0.4 * noise(rng, size, 9, 2)
    # Cloth that is pushed together forms a few narrow creases.
    crease = np.exp(-np.abs(noise(rng, size, 6, 2) + 1.5 * across) / 0.10) * np.clip(
        noise(rng, size, 4), 0.0, 1.0
    )
    creased: Image = resize((folds - 0.5 * crease).astype(np.float32), canvas.size[1], canvas.size[0])
    return creased


def _weave(canvas: Canvas, kind: str, rng: Rng) -> tuple[Image, Image]:
    """Return the threads of cloth: how much light each place reflects, about 1, and how far it stands out.

    Knitted tops have columns of loops, others have threads that cross. Where single threads are finer than a
    pixel, which is so in most pictures, they are left out.
    """
    u, v = canvas.u, canvas.v
    uneven = lay(tissue(canvas.head.cover.shape[0]).mottle, canvas, rng)
    grain = lay(tissue(canvas.head.cover.shape[0]).net, canvas, rng)
    knitted = kind in {"crew", "vee", "scoop", "turtle", "hood"}
    pitch = float(rng.uniform(0.009, 0.017) if knitted and rng.random() < 0.5 else rng.uniform(0.005, 0.010))
    shown = np.float32(np.clip((pitch / canvas.pixel - 2.0) / 1.5, 0.0, 1.0))
    strength = np.float32(rng.uniform(0.4, 1.0)) * shown
    along = u * np.float32(2 * np.pi / pitch) + np.float32(0.6) * uneven
    down = v * np.float32(2 * np.pi / pitch)
    if knitted:
        threads = np.cos(along) * (0.7 + 0.3 * np.cos(down + 2.0 * np.abs(np.sin(along / 2))))
    else:
        threads = np.cos(along + down) if rng.random() < 0.5 else np.cos(along) * np.cos(down)
    light = 1.0 + 0.035 * grain + 0.03 * uneven + np.float32(0.10) * strength * threads
    raised = np.float32(0.0006) * grain + np.float32(0.0016) * strength * threads
    return light.astype(np.float32), raised.astype(np.float32)


def _pattern(canvas: Canvas, rng: Rng) -> Image:
    u, v, size = canvas.u, canvas.v, canvas.size
    light = np.ones(size, np.float32)
    kind, pace = rng.random(), rng.uniform(25, 70)
    if kind < 0.12:
        light *= 1.0 - 0.55 * step(0.1, 0.4, np.sin(v * pace + 0.4 * u))
    elif kind < 0.20:
        light *= 1.0 - 0.4 * step(0.2, 0.5, np.sin(u * pace))
        light *= 1.0 - 0.4 * step(0.2, 0.5, np.sin(v * pace))
    elif kind < 0.26:
        light *= 1.0 + 0.8 * step(0.9, 1.4, noise(rng, size, 28))
    return light


def _collared(
    canvas: Canvas, kind: str, colour: Colour, albedo: Image, lifted: Image, edge: Image, rng: Rng
) -> tuple[Image, Image]:
    """Paint a shirt's collar and buttons, or a jacket's lapels over a shirt."""
    u, v, a = canvas.u, canvas.v, np.abs(canvas.u)
    if kind == "jacket":
        shirt = np.clip(draw_cloth(rng) * 0.6 + 0.3, 0, 0.75)
        inner = step(0.055, 0.045, edge)
        albedo = albedo + (shirt - albedo) * inner[..., None]
        lapel = step(0.055, 0.065, edge) * step(0.22, 0.21, edge + 0.12 * step(1.0, 1.02, v))
        albedo = albedo * (1.0 - 0.18 * np.exp(-(((edge - 0.21) / 0.01) ** 2)))[..., None]
        lifted = lifted + 0.02 * lapel - 0.03 * inner
        if rng.random() < 0.5:
            tie = step(0.055, 0.045, a - 0.02 * (v - 1.0)) * step(1.0, 1.02, v)
            albedo = albedo + (draw_cloth(rng) - albedo) * tie[..., None]
            lifted = lifted + 0.03 * tie
        return albedo, lifted
    flap = step(0.10, 0.094, edge + 0.05 * (v - 0.95)) * step(1.16, 1.15, v + 0.25 * a)
    lifted = lifted + 0.035 * flap
    rim = np.exp(-(((edge + 0.05 * (v - 0.95) - 0.100) / 0.006) ** 2)) * step(1.16, 1.15, v + 0.25 * a)
    albedo = albedo * (1.0 - 0.35 * rim)[..., None]
    placket = np.exp(-(((u - 0.035) / 0.005) ** 2)) * step(1.10, 1.12, v)
    albedo = albedo * (1.0 - 0.3 * placket)[..., None]
    button = step(0.016, 0.012, np.hypot(u, (v - 1.19)))
    return albedo + (0.75 * colour + 0.1 - albedo) * (0.8 * button)[..., None], lifted


def paint_scarf(canvas: Canvas, rng: Rng) -> Layer:
    """Paint a scarf that is wrapped around head and neck and leaves the face free."""
    v, a = canvas.v, np.abs(canvas.u)
    low = np.clip(v + 0.15, 0.0, None)
    top = np.hypot(a / 0.545, np.clip(-(v + 0.15), 0, None) / 0.73)
    wide = 0.545 + 0.05 * low + 0.30 * np.clip(v - 0.45, 0, None) ** 1.5
    outer = np.where(v < -0.15, 1.0 - top**2, 1.0 - (a / wide) ** 2)
    face = np.hypot(a / (0.395 - 0.06 * step(0.2, 0.6, v)), (v - 0.03) / np.where(v < 0.03, 0.545, 0.575))
    wobble = 0.012 * noise(rng, canvas.size, 8, 2)
    inside = face - 1.0 + wobble
    cover = step(-0.02, 0.024, outer) * step(-0.012, 0.012, inside) * step(1.35, 1.30, v + 0.3 * a)
    swirl = np.hypot(a, v - 0.05) + 0.25 * v + 0.10 * noise(rng, canvas.size, 3)
    ridges = np.sin(swirl * rng.uniform(26, 38) + 1.5 * noise(rng, canvas.size, 4))
    below = step(0.45, 0.75, v)
    folds = ridges * (0.25 + 0.75 * below) + 0.8 * noise(rng, canvas.size, 6, 2) * below
    bulge = 0.60 * np.sqrt(np.clip(outer, 0, 1)) - 0.10 * below
    lifted = np.maximum(bulge, wide_blur(canvas.height, 0.04 / canvas.pixel) + 0.03) + 0.012 * folds
    lifted -= 0.02 * np.exp(-np.clip(inside, 0, None) / 0.05)
    colour = draw_cloth(rng)
    thread, raised = _weave(canvas, "scarf", rng)
    albedo = colour * (_pattern(canvas, rng) * thread * (1.0 + 0.10 * folds))[..., None]
    lifted = lifted + raised
    rim = np.exp(-(((inside - 0.05) / 0.012) ** 2))
    albedo = albedo * (1.0 - 0.25 * rim - 0.25 * np.exp(-np.clip(inside, 0, None) / 0.015))[..., None]
    return _layer(canvas, albedo, cover, lifted)


def contact_shade(canvas: Canvas, layer: Layer, reach: float) -> Image:
    """Return where a layer of the whole canvas darkens what is next to it, H×W: mostly below its edge."""
    near = wide_blur(layer.cover, reach / canvas.pixel)
    shift = int(0.5 * reach / canvas.pixel)
    near[shift:] = np.maximum(near[shift:], near[:-shift].copy())
    (row, column), (rows, columns) = layer.corner, layer.cover.shape
    part = slice(row, row + rows), slice(column, column + columns)
    shade = np.zeros(canvas.size, np.float32)
    shade[part] = np.clip(near * 1.6, 0, 1) * (1.0 - layer.cover) * canvas.body[part]
    return shade
