"""Clothes: tops with their collars and folds, and head scarves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.smooth import wide_blur
from rfmeta_dist.synth.imaging.texture import Image, Rng, noise, step
from rfmeta_dist.synth.person.canvas import Canvas, Layer

Colour = NDArray[np.float32]
CONTACT = np.array([0.50, 0.40, 0.38], np.float32)  # what is left of the light next to what is worn
TOPS = ("crew", "crew", "vee", "shirt", "shirt", "turtle", "hood", "jacket", "scoop")


def paint_clothes(canvas: Canvas, woman: bool, rng: Rng) -> Layer:
    """A top of a random kind, colour and pattern over neck and shoulders."""
    kind = str(rng.choice(TOPS))
    if kind == "scoop" and not woman:
        kind = "crew"
    u, v, a = canvas.u, canvas.v, np.abs(canvas.u)
    colour = draw_cloth(rng)
    thick = {"jacket": 0.05, "hood": 0.06, "shirt": 0.025}.get(kind, 0.03)
    reach = wide_blur(canvas.head.cover, 1.2 * thick / canvas.pixel)
    # Beside the neck cloth begins where it lies on the shoulder.
    top = {"hood": 0.755, "turtle": 0.70, "shirt": 0.79, "jacket": 0.79}.get(kind, 0.825) + 0.2 * (a - 0.3)
    body = np.maximum(canvas.head.cover, step(0.13, 0.17, reach)) * step(-0.008, 0.008, v - top)
    edge = _neckline(kind, a, v, rng)
    cover = body * step(-0.004, 0.004, edge)
    folds = _folds(canvas, rng)
    albedo = colour * _pattern(canvas, rng)[..., None] * (1.0 + 0.04 * folds)[..., None]
    lifted = canvas.height + thick + 0.018 * folds
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
    return Layer(albedo.astype(np.float32), cover.astype(np.float32), lifted.astype(np.float32), 0.03)


def draw_cloth(rng: Rng) -> Colour:
    """Linear RGB of cloth: often dull, sometimes strong, seldom pure black or white."""
    value, tint = rng.uniform(0.015, 0.55) ** 1.0, rng.dirichlet((1.2, 1.2, 1.2)) * 3.0
    colour: Colour = (value * (1.0 + rng.uniform(0.0, 0.8) * (tint - 1.0))).astype(np.float32)
    return np.clip(colour, 0.008, 0.7)


def _neckline(kind: str, a: Image, v: Image, rng: Rng) -> Image:
    """Distance into the cloth from its opening, in face units."""
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
    """Soft creases, mostly running from the shoulders to the chest."""
    warp = 0.10 * noise(rng, canvas.size, 4, 2)
    across = np.abs(canvas.u) * 0.9 - canvas.v * 0.5 + warp
    ridged = 1.0 - np.abs(np.sin(across * rng.uniform(9, 15) + noise(rng, canvas.size, 3)))
    folds: Image = ridged**2 * np.clip(noise(rng, canvas.size, 5, 2), -0.3, 1.0) + 0.4 * noise(
        rng, canvas.size, 9, 2
    )
    return folds


def _pattern(canvas: Canvas, rng: Rng) -> Image:
    u, v, size = canvas.u, canvas.v, canvas.size
    weave = 1.0 + 0.05 * noise(rng, size, size[1] / 2.5) + 0.03 * noise(rng, size, 90)
    kind, pace = rng.random(), rng.uniform(25, 70)
    if kind < 0.12:
        weave = weave * (1.0 - 0.55 * step(0.1, 0.4, np.sin(v * pace + 0.4 * u)))
    elif kind < 0.20:
        weave = (
            weave
            * (1.0 - 0.4 * step(0.2, 0.5, np.sin(u * pace)))
            * (1.0 - 0.4 * step(0.2, 0.5, np.sin(v * pace)))
        )
    elif kind < 0.26:
        weave = weave * (1.0 + 0.8 * step(0.9, 1.4, noise(rng, size, 28)))
    return weave


def _collared(
    canvas: Canvas, kind: str, colour: Colour, albedo: Image, lifted: Image, edge: Image, rng: Rng
) -> tuple[Image, Image]:
    """A shirt's collar and buttons, or a jacket's lapels over a shirt."""
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
    """A scarf wrapped around head and neck that leaves the face free."""
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
    albedo = colour * _pattern(canvas, rng)[..., None] * (1.0 + 0.10 * folds)[..., None]
    rim = np.exp(-(((inside - 0.05) / 0.012) ** 2))
    albedo = albedo * (1.0 - 0.25 * rim - 0.25 * np.exp(-np.clip(inside, 0, None) / 0.015))[..., None]
    return Layer(albedo.astype(np.float32), cover.astype(np.float32), lifted.astype(np.float32), 0.03)


def contact_shade(canvas: Canvas, layer: Layer, reach: float) -> Image:
    """Where a layer that stands above what lies next to it darkens it, H×W: mostly below its edge."""
    near = wide_blur(layer.cover, reach / canvas.pixel)
    shift = int(0.5 * reach / canvas.pixel)
    near[shift:] = np.maximum(near[shift:], near[:-shift].copy())
    shade: Image = np.clip(near * 1.6, 0, 1) * (1.0 - layer.cover) * canvas.body
    return shade
