"""Printed photos: ink on paper by clustered-dot halftone, held up and lit as a plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.plane import Carrier, Surface, cover, drop_shadow, picture_on, planar_light
from rfmeta_dist.synth.texture import Image, Rng, decode_srgb, mix, noise

# Linear transmittance of solid cyan, magenta, yellow and black ink.
INKS = np.array([[0.05, 0.40, 0.78], [0.78, 0.04, 0.26], [0.95, 0.84, 0.05], [0.05, 0.05, 0.05]], np.float32)


FINEST_CELL = 3.2  # scene samples


@dataclass(frozen=True)
class Paper:
    """A printer and its paper.

    Attributes:
        white: linear RGB of the sheet.
        cells: range of halftone cells across the crop (set by printer and distance).
        angles: screen angles of C, M, Y, K in degrees.
        ink: strength of solid ink, 1 as `INKS`; less is washed out.
        gain: dot gain; above 0 darkens the middle tones.
        gloss: strength of the sheen.
        grain: relative roughness of the sheet.
        banding: relative strength of printer head bands.
        bend: largest cylindrical bend.
    """

    white: tuple[float, float, float]
    cells: tuple[float, float]
    angles: tuple[float, float, float, float]
    ink: float
    gain: float
    gloss: float
    grain: float
    banding: float
    bend: float


def show_print(
    plate: Image, paper: Paper, surface: Surface, carrier: Carrier, backdrop: Image, rng: Rng
) -> Image:
    """Radiance of a print before a backdrop.

    Args:
        plate: ink coverage over the whole face canvas, P×P×4, from `separate`.
        paper: what it is printed with and on.
        surface: where each of the R×R samples meets the sheet.
        carrier: the sheet as held.
        backdrop: R×R×3 linear.
        rng: of the recording, so that every frame sees the same sheet.

    Returns:
        R×R×3 linear radiance.
    """
    # A cell finer than our sampling of the scene would alias before the lens blurs it.
    cell = max(surface.u.shape[0] / rng.uniform(*paper.cells), FINEST_CELL) * surface.pixel
    inked = _halftone(picture_on(surface, plate), cell, paper, surface, rng)
    sheet = np.array(paper.white, np.float32)
    printed = cover(surface)[..., None]
    reflectance = sheet * (inked * printed + 1.0 - printed)
    reflectance = reflectance * _texture(paper, surface, rng)[..., None]
    light, sheen = planar_light(surface, rng)
    sheen = 0.08 * paper.gloss * sheen
    radiance = reflectance * light[..., None] + sheen[..., None]
    behind = backdrop * drop_shadow(surface, carrier.margin)[..., None]
    return mix(behind, radiance.astype(np.float32), cover(surface, carrier.margin))


def separate(photo: Image, paper: Paper) -> Image:
    """Area coverage of C, M, Y, K in [0, 1], P×P×4, for a photo's display values P×P×3.

    With partial black replacement and dot gain.
    """
    wanted = decode_srgb(photo)
    black = 0.6 * np.clip(1.0 - wanted.max(axis=2) - 0.5, 0.0, None)
    wanted = wanted / (1.0 - black * (1.0 - INKS[3, 0]))[..., None]
    inks = np.zeros_like(wanted)
    # Each ink also dims the other colours: raise or lower each in turn until the overprint is right.
    for channel in (0, 1, 2) * 2:
        others = [1.0 - inks[..., i] * (1.0 - INKS[i, channel]) for i in range(3) if i != channel]
        share = wanted[..., channel] / (others[0] * others[1])
        inks[..., channel] = np.clip((1.0 - share) / (1.0 - INKS[channel, channel]), 0.0, 1.0)
    gained: Image = np.dstack([inks, black]) ** (1.0 - paper.gain)
    return gained


def _halftone(inks: Image, cell: float, paper: Paper, surface: Surface, rng: Rng) -> Image:
    """Transmittance R×R×3 of four overprinted dot screens (Neugebauer primaries by multiplication)."""
    transmitted = np.ones((*inks.shape[:2], 3), np.float32)
    softness = min(max(1.6 * surface.pixel / cell, 0.12), 1.0)
    for channel, angle in enumerate(paper.angles):
        threshold = _spots(surface, cell, math.radians(angle), rng)
        wanted = inks[..., channel]
        dot = np.clip((wanted - threshold) / softness + 0.5, 0.0, 1.0)
        # A dot screen must keep the mean tone, so a smeared dot gives way to plain coverage.
        dot = wanted + (dot - wanted) * (1.0 - 0.6 * softness)
        absorbed: NDArray[np.float32] = paper.ink * (1.0 - INKS[channel])
        transmitted *= 1.0 - dot[..., None] * absorbed
    return transmitted


def _spots(surface: Surface, cell: float, angle: float, rng: Rng) -> Image:
    """Threshold in [0, 1] whose level sets are round dots growing into round holes."""
    wave = 2.0 * np.pi / cell
    cos, sin = math.cos(angle) * wave, math.sin(angle) * wave
    first = np.cos(surface.u * cos + surface.v * sin + rng.uniform(0, 6.28))
    second = np.cos(surface.v * cos - surface.u * sin + rng.uniform(0, 6.28))
    spots: Image = 0.5 + 0.25 * (first + second)
    return spots


def _texture(paper: Paper, surface: Surface, rng: Rng) -> Image:
    """Paper grain and printer bands, around 1."""
    size = (surface.u.shape[0], surface.u.shape[1])
    grain = paper.grain * noise(rng, size, size[1] / 4, 2)
    bands = paper.banding * np.sin(surface.v * rng.uniform(25, 60) + rng.uniform(0, 6.28))
    texture: Image = np.clip(1.0 + grain + bands, 0.2, None).astype(np.float32)
    return texture
