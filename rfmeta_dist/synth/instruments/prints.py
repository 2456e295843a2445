"""Printed photos: ink on paper by halftone, held up and lit as the sheet turns and bends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, decode_srgb, mix
from rfmeta_dist.synth.imaging.tiles import Tile, draw_tile
from rfmeta_dist.synth.instruments.plane import Surface, inside, light_on, picture_on, sheen
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.place.scene import Lamp

# Linear transmittance of solid cyan, magenta, yellow and black ink.
INKS = np.array([[0.05, 0.40, 0.78], [0.78, 0.04, 0.26], [0.95, 0.84, 0.05], [0.05, 0.05, 0.05]], np.float32)


GRID_BLUR, SCATTERED_BLUR = 1.8, 5.0  # thresholds over which ink fades at the edge of a dot a pixel wide


@dataclass(frozen=True)
class Paper:
    """A printer and its paper.

    Attributes:
        white: linear RGB of the sheet.
        cell: range of the halftone cell in sensor pixels (set by printer and distance).
        angles: screen angles of C, M, Y, K in degrees.
        ink: strength of solid ink, 1 as `INKS`; less is washed out.
        gain: dot gain; above 0 darkens the middle tones.
        gloss: strength of the sheen.
        grain: relative roughness of the sheet.
        banding: relative strength of printer head bands.
        bend: largest curvature of a sheet held as flat as it goes, per face unit.
        scattered: dots scattered as an inkjet does, rather than growing on a grid.
        name: tells it from the domain's others.
    """

    white: tuple[float, float, float]
    cell: tuple[float, float]
    angles: tuple[float, float, float, float]
    ink: float
    gain: float
    gloss: float
    grain: float
    banding: float
    bend: float
    scattered: bool = False
    name: str = ""


@dataclass(frozen=True)
class Sheet:
    """One printed photo.

    Attributes:
        plate: for C, M, Y and K, the threshold below which a place is inked, P×Q×4.
        area: where on the sheet the plate's pixels are, in face coordinates.
        cell: side of a halftone cell in face units.
        softness: range of thresholds over which ink fades at the edge of a dot.
        phases: of the four screens, 4×2.
        dots: thresholds of scattered dots, one tile an ink; none for a grid.
        grain: of the paper.
        bands: cycles per face unit and phase of the printer head's bands.
        haze: light that the gloss mirrors from everywhere, relative to white.
    """

    paper: Paper
    plate: Image
    area: Raster
    cell: float
    softness: float
    phases: NDArray[np.floating]
    dots: tuple[Tile, ...]
    grain: Tile
    bands: tuple[float, float]
    haze: float


def print_out(photo: Image, area: Raster, paper: Paper, framing: Framing, sensor: int, rng: Rng) -> Sheet:
    """Print a photo.

    Args:
        photo: display values [0, 1], P×Q×3.
        area: where its pixels lie, in face coordinates.
        paper: what it is printed with and on.
        framing: of the recording it is for, which says how large a cell is.
        sensor: pixels of the camera across the crop.
        rng: of the recording.
    """
    pixel = 2.0 * framing.half / sensor
    cell = pixel * rng.uniform(*paper.cell)
    # An inkjet's drops run into each other.
    softness = (SCATTERED_BLUR if paper.scattered else GRID_BLUR) * pixel / cell
    return Sheet(
        paper,
        _reached(separate(photo, paper), paper, softness),
        area,
        cell,
        softness,
        phases=rng.uniform(0, 2 * math.pi, (4, 2)),
        dots=tuple(_scatter(cell, rng) for _ in range(4)) if paper.scattered else (),
        grain=draw_tile(rng, 2.0 * pixel, octaves=2),
        bands=(float(rng.uniform(25, 60)), float(rng.uniform(0, 2 * math.pi))),
        haze=float(rng.uniform(0.0, 0.008)) * (0.5 + paper.gloss),
    )


def show_print(sheet: Sheet, surface: Surface, lamp: Lamp) -> Image:
    """Radiance of a printed sheet, H×W×3, as if it filled the picture; `lamp` lights it."""
    paper = sheet.paper
    inked = _halftone(picture_on(surface, sheet.plate, sheet.area), sheet, surface)
    blank = np.ones_like(inked)
    reflectance = mix(blank, inked, inside(surface.outside, surface)) * np.array(paper.white, np.float32)
    bands = paper.banding * np.sin(surface.v * np.float32(sheet.bands[0]) + np.float32(sheet.bands[1]))
    texture = 1.0 + paper.grain * sheet.grain.at(surface.u, surface.v) + bands
    # Rough paper spreads its sheen; a glossy one keeps it small and bright.
    mirrored = paper.gloss * 0.2 * sheen(surface, lamp, 0.045 - 0.03 * min(paper.gloss, 1.0))
    level = np.clip(texture, 0.2, None) * light_on(surface, lamp)
    radiance: Image = reflectance * level[..., None] + (mirrored + sheet.haze)[..., None]
    return (radiance * lamp.colour).astype(np.float32)


def separate(photo: Image, paper: Paper) -> Image:
    """Area coverage of C, M, Y, K in [0, 1], P×Q×4, for a photo's display values P×Q×3.

    With partial black replacement and dot gain.
    """
    wanted = decode_srgb(photo)
    # Mostly in the darks, which the others alone leave brown, and hardly in skin, where its dots would show.
    black = np.float32(0.85) * np.clip(1.0 - wanted.max(axis=2), 0.0, 1.0) ** 6
    wanted = wanted / (1.0 - black * (1.0 - INKS[3, 0]))[..., None]
    inks = np.zeros_like(wanted)
    # Each ink also dims the other colours: raise or lower each in turn until the overprint is right.
    for channel in (0, 1, 2) * 2:
        others = [1.0 - inks[..., i] * (1.0 - INKS[i, channel]) for i in range(3) if i != channel]
        share = wanted[..., channel] / (others[0] * others[1])
        inks[..., channel] = np.clip((1.0 - share) / (1.0 - INKS[channel, channel]), 0.0, 1.0)
    gained: Image = np.dstack([inks, black]) ** np.float32(1.0 - paper.gain)
    return gained.astype(np.float32)


def _halftone(inks: Image, sheet: Sheet, surface: Surface) -> Image:
    """Transmittance H×W×3 of four overprinted dot screens (Neugebauer primaries by multiplication)."""
    transmitted = np.ones((*inks.shape[:2], 3), np.float32)
    for channel in range(4):
        beyond = inks[..., channel] - _threshold(sheet, channel, surface)
        dot = np.clip(beyond / np.float32(sheet.softness) + np.float32(0.5), 0.0, 1.0)
        absorbed: NDArray[np.float32] = np.float32(sheet.paper.ink) * (1 - INKS[channel])
        transmitted *= 1.0 - dot[..., None] * absorbed
    return transmitted


def _reached(coverage: Image, paper: Paper, softness: float) -> Image:
    """The threshold up to which a screen is inked where it covers this share, soft edges included."""
    wave = np.cos(np.linspace(0.0, math.pi, 96))
    spots = np.linspace(0.0, 1.0, 512) if paper.scattered else (0.5 + 0.25 * (wave[:, None] + wave)).ravel()
    thresholds = np.linspace(-softness / 2, 1.0 + softness / 2, 129)
    covered = [np.clip((t - spots) / softness + 0.5, 0.0, 1.0).mean() for t in thresholds]
    reached: Image = np.interp(coverage, covered, thresholds).astype(np.float32)
    return reached


def _threshold(sheet: Sheet, channel: int, surface: Surface) -> Image:
    """Where ink comes first, from 0, to last, at 1: round dots growing into round holes, or scattered ones."""
    if sheet.dots:
        return sheet.dots[channel].at(surface.u, surface.v)
    wave, angle = 2.0 * math.pi / sheet.cell, math.radians(sheet.paper.angles[channel])
    cos, sin = np.float32(math.cos(angle) * wave), np.float32(math.sin(angle) * wave)
    first, second = sheet.phases[channel].astype(np.float32)
    spots: Image = np.cos(surface.u * cos + surface.v * sin + first)
    spots += np.cos(surface.v * cos - surface.u * sin + second)
    return spots * np.float32(0.25) + np.float32(0.5)


def _scatter(cell: float, rng: Rng) -> Tile:
    """Evenly spread thresholds without the slow variation of plain noise."""
    white = draw_tile(rng, cell, 192)
    rough = white.image - np.roll(white.image, (2, 1), (0, 1)) * np.float32(0.5)
    ranks = rough.ravel().argsort().argsort().reshape(rough.shape)
    return Tile((ranks / np.float32(ranks.size)).astype(np.float32), white.side)
