"""Print photos: ink on paper by halftone, held up, and lit according to how the sheet turns and bends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, decode_srgb, mix, thrice, tinted
from rfmeta_dist.synth.imaging.tiles import Tile, lay_tile
from rfmeta_dist.synth.instruments.plane import Surface, inside, light_on, picture_on, sheen
from rfmeta_dist.synth.optics.camera import require_positive
from rfmeta_dist.synth.optics.framing import FACE_WIDTH, MM_PER_INCH, Raster
from rfmeta_dist.synth.optics.pattern import Pattern, Wave
from rfmeta_dist.synth.place.scene import Lamp

# Linear transmittance of solid cyan, magenta, yellow and black ink.
INKS = np.array([[0.05, 0.40, 0.78], [0.78, 0.04, 0.26], [0.95, 0.84, 0.05], [0.05, 0.05, 0.05]], np.float32)

HARMONICS = ((1, 0), (0, 1), (1, 1), (1, -1))  # harmonics of a grid of dots; finer ones never pass a lens
COVERAGES = 33  # number of coverages at which the amplitudes of harmonics are tabulated


@dataclass(frozen=True)
class Paper:
    """A printer and its paper, in physical units.

    Attributes:
        white: linear RGB of the sheet.
        face: range of the width of the printed face in millimetres.
        lpi: range of lines of dots per inch; for scattered dots, dots per inch.
        angles: screen angles of C, M, Y, K in degrees.
        ink: strength of solid ink; 1 is that of `INKS`, less looks washed out.
        gain: dot gain; above 0 darkens the middle tones.
        gloss: strength of the sheen.
        grain: relative variation of the sheet's brightness; its structures are 0.25 mm wide.
        banding: relative strength of the bands that a printer head leaves.
        bend: largest curvature of a sheet that is held as flat as possible, per face unit.
        source: range of the number of pixels across the face of the photo that is printed. At most
            `stolen.FINEST` pixels for each point of the scene are made, because more would not be visible.
        scattered: dots are scattered, as an ink-jet does, instead of growing on a grid.
        name: distinguishes it from the domain's other papers.
    """

    white: tuple[float, float, float]
    face: tuple[float, float]
    lpi: tuple[float, float]
    angles: tuple[float, float, float, float]
    ink: float
    gain: float
    gloss: float
    grain: float
    banding: float
    bend: float
    source: tuple[float, float]
    scattered: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        require_positive(self, "face", "lpi", "source")


@dataclass(frozen=True)
class Sheet:
    """One printed photo.

    Attributes:
        plate: area coverage of C, M, Y and K, P×Q×4.
        area: where on the sheet the plate's pixels are, in face coordinates.
        cell: distance of dots in face units.
        phases: phases of the four screens, 4×2.
        dots: one tile per ink that says where scattered dots are denser; none for dots on a grid.
        grain: grain of the paper, and its strength.
        bands: cycles per face unit and phase of the printer head's bands.
        haze: light that the gloss reflects from all directions, relative to white.
    """

    paper: Paper
    plate: Image
    area: Raster
    cell: float
    phases: NDArray[np.floating]
    dots: tuple[Tile, ...]
    grain: tuple[Tile, float]
    bands: tuple[float, float]
    haze: float


def print_out(photo: Image, area: Raster, paper: Paper, pixel: float, rng: Rng) -> Sheet:
    """Print a photo.

    Args:
        photo: display values [0, 1], P×Q×3.
        area: where its pixels lie, in face coordinates.
        paper: printer and paper.
        pixel: face units between the points of the scene; finer noise is averaged over them.
        rng: random generator of the recording.
    """
    millimetre = FACE_WIDTH / rng.uniform(*paper.face)  # in face units
    cell = MM_PER_INCH / rng.uniform(*paper.lpi) * millimetre
    fibres = 0.25 * millimetre
    return Sheet(
        paper,
        separate(photo, paper),
        area,
        cell,
        phases=rng.uniform(0, 2 * math.pi, (4, 2)),
        dots=tuple(lay_tile(rng, max(2.0 * cell, 1.5 * pixel)) for _ in range(4)) if paper.scattered else (),
        grain=(lay_tile(rng, max(fibres, 1.5 * pixel), octaves=2), paper.grain * min(1.0, fibres / pixel)),
        bands=(float(2 * math.pi / rng.uniform(0.7, 3.0) / millimetre), float(rng.uniform(0, 2 * math.pi))),
        haze=float(rng.uniform(0.0, 0.008)) * (0.5 + paper.gloss),
    )


def show_print(sheet: Sheet, surface: Surface, lamp: Lamp) -> tuple[Image, Pattern]:
    """Light a printed sheet with `lamp`, as if the sheet filled the picture.

    Returns:
        Its mean radiance H×W×3, in which dots that are too fine are averaged, and the pattern of the dots.
    """
    paper = sheet.paper
    inks = picture_on(surface, sheet.plate, sheet.area)
    inked = _overprinted(_uneven(inks, sheet, surface), paper)
    within = inside(surface.outside, surface)
    reflectance = tinted(mix(np.ones_like(inked), inked, within), np.array(paper.white))
    fade = math.exp(-0.5 * (sheet.bands[0] * surface.pixel / 2) ** 2)  # fine bands average out
    bands = paper.banding * fade * np.sin(surface.v * np.float32(sheet.bands[0]) + np.float32(sheet.bands[1]))
    tile, rough = sheet.grain
    texture = 1.0 + np.float32(rough) * tile.at(surface.u, surface.v) + bands.astype(np.float32)
    # The sheen is wide on rough paper and small and bright on glossy paper.
    mirrored = paper.gloss * 0.2 * sheen(surface, lamp, 0.045 - 0.03 * min(paper.gloss, 1.0))
    level = np.clip(texture, 0.2, None) * light_on(surface, lamp)
    radiance: Image = reflectance * thrice(level) + thrice(mirrored + np.float32(sheet.haze))
    screens = () if sheet.dots else tuple(tuple(_waves(sheet, inks, ink)) for ink in range(len(INKS)))
    return tinted(radiance, lamp.colour), Pattern(surface.u, surface.v, within, screens)


def separate(photo: Image, paper: Paper) -> Image:
    """Return the area coverage of C, M, Y, K in [0, 1], P×Q×4, for a photo's display values P×Q×3.

    Black ink partly replaces the others, and dot gain is added.
    """
    wanted = decode_srgb(photo)
    lightest = np.maximum(np.maximum(wanted[..., 0], wanted[..., 1]), wanted[..., 2])
    # Black ink is used mostly in dark parts, which the other inks alone would leave brown, and hardly in skin,
    # where its dots would be visible.
    black = np.float32(0.85) * np.clip(1.0 - lightest, 0.0, 1.0) ** 6
    wanted = wanted / thrice(1.0 - black * (1.0 - INKS[3, 0]))
    inks = np.zeros_like(wanted)
    # Each ink also dims the other colours, so the coverages are corrected repeatedly until the overprint fits.
    for channel in (0, 1, 2) * 2:
        others = [1.0 - inks[..., i] * (1.0 - INKS[i, channel]) for i in range(3) if i != channel]
        share = wanted[..., channel] / (others[0] * others[1])
        inks[..., channel] = np.clip((1.0 - share) / (1.0 - INKS[channel, channel]), 0.0, 1.0)
    gained: Image = np.dstack([inks, black]) ** np.float32(1.0 - paper.gain)
    return gained.astype(np.float32)


def _overprinted(inks: Image, paper: Paper) -> Image:
    """Return the mean transmittance H×W×3 of four overprinted dot screens of coverages H×W×4 (Demichel)."""
    inked = [(share, _absorbed(channel, paper)) for channel, share in enumerate(cv2.split(inks))]
    transmitted: Image = cv2.merge(
        [math.prod(1.0 - share * taken[i] for share, taken in inked) for i in range(3)]
    )
    return transmitted


def _absorbed(channel: int, paper: Paper) -> NDArray[np.float32]:
    """Return the share of red, green and blue that solid ink absorbs."""
    taken: NDArray[np.float32] = np.float32(paper.ink) * (1 - INKS[channel])
    return taken


def _uneven(inks: Image, sheet: Sheet, surface: Surface) -> Image:
    """Return the ink coverages with the random unevenness of scattered dots."""
    if not sheet.dots:
        return inks
    # The unevenness falls with the square of dot distance over sample width: printers spread dots evenly.
    left = np.float32(min(1.0, sheet.cell / surface.pixel) ** 2)
    noise = cv2.merge([tile.at(surface.u, surface.v) for tile in sheet.dots])
    uneven: Image = np.clip(inks + left * noise * inks * (1.0 - inks), 0.0, 1.0)
    return uneven


def _waves(sheet: Sheet, inks: Image, ink: int) -> Iterator[Wave]:
    """Return the harmonics of one ink's dots, as ripples on its mean transmittance."""
    angle, (first, second) = math.radians(sheet.paper.angles[ink]), sheet.phases[ink].tolist()
    cos, sin = math.cos(angle) / sheet.cell, math.sin(angle) / sheet.cell
    taken = _absorbed(ink, sheet.paper)

    def ripple(harmonic: tuple[int, int]) -> Image:
        coverage = inks[..., ink]
        strength = np.interp(coverage, *_harmonic(*harmonic)).astype(np.float32)[..., None]
        deviation: Image = -strength * taken / (1.0 - coverage[..., None] * taken)
        return deviation

    for m, n in HARMONICS:
        phase = m * first + n * second
        coverages, heights = _harmonic(m, n)
        most = float(np.abs(heights * taken.max() / (1.0 - coverages * taken.max())).max())
        place = m * cos - n * sin, m * sin + n * cos
        yield Wave(*place, (phase, phase, phase), most, partial(ripple, (m, n)))


@cache
def _harmonic(m: int, n: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return a harmonic's amplitude for round dots on a grid, which grow into round holes as coverage rises."""
    angle = (np.arange(64) + 0.5) / 64 * 2 * math.pi
    spots = np.cos(angle)[:, None] + np.cos(angle)[None]
    wave = np.cos(m * angle[:, None] + n * angle[None])
    coverages = np.linspace(0.0, 1.0, COVERAGES)
    inked = [spots >= np.quantile(spots, 1.0 - share) for share in coverages]
    found = np.array([2.0 * float((dots * wave).mean()) for dots in inked])
    found[[0, -1]] = 0.0
    return coverages, found
