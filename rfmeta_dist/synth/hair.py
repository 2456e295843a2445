"""Hair styles, head coverings and clothes: where they lie, how thick they are and what colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rfmeta_dist.synth.head import HeadShape, ovoid
from rfmeta_dist.synth.texture import Image, Rng, noise, step

Colour = tuple[float, float, float]
COLOURS: tuple[Colour, ...] = (
    (0.012, 0.010, 0.010),
    (0.020, 0.013, 0.009),
    (0.055, 0.028, 0.014),
    (0.11, 0.06, 0.028),
    (0.34, 0.22, 0.10),
    (0.20, 0.065, 0.02),
    (0.30, 0.29, 0.28),
)
STYLES = ("bald", "buzz", "short", "parted", "fringe", "long", "bob", "afro", "bun", "scarf")


@dataclass(frozen=True)
class Hair:
    """One person's hair: style name, linear colour, thickness over the skull and hairline height."""

    style: str
    colour: Colour
    volume: float
    line: float
    part: float


@dataclass(frozen=True)
class Layer:
    """Something worn: albedo H×W×3, cover H×W in [0, 1], thickness H×W in face units, gloss scalar."""

    albedo: Image
    cover: Image
    thickness: Image
    gloss: float


def draw_hair(rng: Rng) -> Hair:
    """A person's hair; styles are equally likely."""
    style = STYLES[int(rng.integers(len(STYLES)))]
    volume = {"bald": 0.0, "buzz": 0.015, "afro": 0.2, "scarf": 0.07}.get(style, 0.075)
    return Hair(
        style=style,
        colour=COLOURS[int(rng.integers(len(COLOURS)))],
        volume=float(volume * rng.uniform(0.8, 1.3)),
        line=float(-0.50 + rng.uniform(-0.06, 0.05)),
        part=float(rng.uniform(-0.22, 0.22)),
    )


def paint_hair(hair: Hair, shape: HeadShape, x: Image, y: Image, rng: Rng) -> Layer:
    """The hair (or scarf) of a head; nothing at all for a bald one."""
    size = (x.shape[0], x.shape[1])
    frizz = 0.03 if hair.style == "afro" else 0.012
    rough = frizz * noise(rng, size, 40, 3)
    shell = step(-0.03, 0.06, ovoid(shape, x, y, hair.volume) + rough * 2)
    above = step(0.02, -0.03, y - _hairline(hair, shape, x) - rough * 1.5)
    cover = shell * above
    if hair.style in {"long", "bob", "scarf"}:
        cover = np.maximum(cover, _curtain(hair, shape, x, y))
    if hair.style == "bun":
        cover = np.maximum(cover, step(0.17, 0.14, np.hypot(x, y + 0.92) + rough))
    if hair.style == "bald":
        cover = np.zeros_like(x)
    # Hair stands out sideways more than forwards; the nose stays nearest.
    forwards = np.clip(ovoid(shape, x, y), 0.0, 1.0)
    thickness = (hair.volume * 0.6 + 0.01) * step(0.0, 0.7, cover) * (1.0 - 0.8 * forwards)
    return _finish(hair, x, y, cover, thickness, rng)


def paint_clothes(below: Image, x: Image, y: Image, rng: Rng) -> Layer:
    """A top over the shoulders with a round or pointed collar; `below` is depth under the shoulder line."""
    size = (x.shape[0], x.shape[1])
    colour = np.array(rng.uniform(0.02, 0.65, 3) * rng.uniform(0.35, 1.0), np.float32)
    neckline = 0.90 - rng.uniform(0.35, 1.0) * np.abs(x) + 0.06
    cover = step(-0.01, 0.01, below) * step(-0.01, 0.01, y - neckline)
    weave = 1.0 + 0.08 * noise(rng, size, size[1] / 3) + 0.10 * noise(rng, size, 5, 2)
    stripe = 1.0 - float(rng.random() < 0.4) * 0.6 * step(0.2, 0.5, np.sin(y * rng.uniform(30, 70)))
    albedo = colour * (weave * stripe)[..., None]
    return Layer(albedo.astype(np.float32), cover, np.full_like(x, 0.03), 0.02)


def _hairline(hair: Hair, shape: HeadShape, x: Image) -> Image:
    """Height of the hair's lower edge: level over the forehead, falling to the ears at the temples."""
    temples = 0.52 * np.clip(np.abs(x) / (shape.width * 0.93), 0.0, 1.4) ** 5
    line = hair.line + temples
    if hair.style == "fringe":
        line = np.maximum(line, -0.30 + 0.02 * np.sin(x * 25.0))
    if hair.style == "parted":
        line = line + 0.20 * np.clip((x - hair.part) * np.sign(-hair.part + 1e-6), 0.0, 0.5)
    if hair.style == "scarf":
        line = -0.40 + 0.9 * np.clip(np.abs(x) / shape.width, 0.0, 1.2) ** 4
    result: Image = line.astype(np.float32)
    return result


def _curtain(hair: Hair, shape: HeadShape, x: Image, y: Image) -> Image:
    """Hair falling beside the face, to the chin (bob), the chest (long), or all round (scarf)."""
    longest = {"long": 1.3, "bob": 0.52, "scarf": 1.3}[hair.style]
    inner = shape.width * (0.90 - 0.10 * step(0.1, 0.6, y))
    outer = shape.width + hair.volume + 0.05 + 0.06 * step(-0.3, 0.6, y)
    side = step(inner - 0.015, inner + 0.02, np.abs(x)) * step(outer + 0.02, outer - 0.02, abs(x))
    if hair.style == "scarf":
        chin = step(0.0, 0.05, y - (shape.chin - 0.13) + 0.55 * (x / shape.width) ** 2)
        side = np.maximum(side, chin * step(outer + 0.02, outer - 0.02, np.abs(x)))
    end = longest - 6.0 * (np.abs(x) - (inner + outer) / 2) ** 2
    fall: Image = side * step(-0.35, -0.05, y) * step(end + 0.05, end - 0.05, y)
    return fall


def _finish(hair: Hair, x: Image, y: Image, cover: Image, thickness: Image, rng: Rng) -> Layer:
    """Colour the cover with strands radiating from the crown (or folds of cloth)."""
    size = (x.shape[0], x.shape[1])
    if hair.style == "scarf":
        cloth = np.array(rng.uniform(0.05, 0.6, 3), np.float32)
        folds = 1.0 + 0.16 * np.sin(18 * np.hypot(x, y) + 2 * noise(rng, size, 4))
        return Layer(cloth * folds[..., None].astype(np.float32), cover, thickness, 0.02)
    strands = noise(rng, size, 60, 2) if hair.style == "afro" else _strands(hair, x, y, rng)
    shade = np.clip(1.0 + 0.27 * strands, 0.35, 2.0)
    depth = thickness * (1.0 + 0.06 * strands)
    albedo = np.array(hair.colour, np.float32) * shade[..., None]
    return Layer(albedo, cover, depth.astype(np.float32), 0.10)


def _strands(hair: Hair, x: Image, y: Image, rng: Rng) -> Image:
    """Noise stretched along lines leaving the parting: fine across strands, slow along them."""
    size = x.shape[1]
    angle = np.arctan2(x - hair.part, y + 0.95)
    radius = np.hypot(x - hair.part, y + 0.95)
    wave = 0.03 * np.sin(radius * 9.0)
    flat = noise(rng, (size, size), size / 2.2)
    flat = cv2.GaussianBlur(flat, (1, 0), sigmaX=0.4, sigmaY=size / 14)
    column = ((angle + wave) / np.pi * 0.5 + 0.5) * (size - 1)
    row = np.clip(radius / 2.6, 0.0, 1.0) * (size - 1)
    strands: Image = cv2.remap(flat, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)
    scaled: Image = strands / (strands.std() + 1e-6)
    return scaled
