"""Replay on screens: coloured subpixels behind glass. Moiré follows from the model of the camera alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, luminance, mix, resize, step, thrice, tinted
from rfmeta_dist.synth.instruments.plane import Surface, inside, picture_on, sheen
from rfmeta_dist.synth.optics.camera import require_positive
from rfmeta_dist.synth.optics.framing import FACE_WIDTH, MM_PER_INCH, Framing, Raster
from rfmeta_dist.synth.optics.pattern import Pattern, Wave
from rfmeta_dist.synth.place.rooms import paint_backdrop
from rfmeta_dist.synth.place.scene import Lamp, warm

MIRRORED = 96  # samples across the reflection
RIM = 0.012  # width of the metal or plastic edge of a device, face units


@dataclass(frozen=True)
class Screen:
    """A display.

    Attributes:
        face: range of the width of the face shown on it, in millimetres.
        ppi: pixels per inch.
        gamma: exponent of the panel.
        white: white point, −1 blue to 1 orange.
        black: light that leaks through a black pixel, relative to white.
        matrix: strength of the pixel pattern, from 0 (none) to 1.
        reflection: range of the brightness of the mirrored room, relative to the panel's white.
        bezel: linear grey of the frame.
        flicker: range of the depth of the brightness band.
        source: range of the number of pixels across the face of the video that is played, limited as in
            `Paper`.
        subpixels: `stripe`: red, green and blue side by side, as on most LCDs; or `diamond`: half as many red
            and blue as green ones, as on most OLED phones.
        name: distinguishes it from the domain's other screens.
    """

    face: tuple[float, float]
    ppi: float
    gamma: float
    white: float
    black: float
    matrix: float
    reflection: tuple[float, float]
    bezel: float
    flicker: tuple[float, float]
    source: tuple[float, float]
    subpixels: Literal["stripe", "diamond"] = "stripe"
    name: str = ""

    def __post_init__(self) -> None:
        require_positive(self, "face", "ppi", "source")


@dataclass(frozen=True)
class Display:
    """One screen as set up for a recording.

    Attributes:
        pitch: width of its pixels in face units.
        phases: phases of stripes and rows.
        mirrored: the room mirrored in the glass, H×W×3 relative to the panel's white.
        bands: depth, cycles per crop and cycles per second of the brightness band.
        gloss: brightness of the mirrored lamp.
    """

    screen: Screen
    pitch: float
    phases: tuple[float, float]
    mirrored: Image
    bands: tuple[float, float, float]
    gloss: float


def set_up_screen(screen: Screen, framing: Framing, raster: Raster, rng: Rng) -> Display:
    """Choose at random how a screen is set up before a camera that sees the points of `raster`."""
    # The glass reflects the other side of the room, out of focus. That side is painted with a window.
    width, height = MIRRORED, max(8, round(MIRRORED * raster.height / raster.width))
    coarse = Raster(raster.left, raster.top, raster.width * raster.pitch / width, height, width)
    room = blur(paint_backdrop("window", framing, coarse, rng), rng.uniform(0.8, 3.0))
    dull = np.float32(rng.uniform(*screen.reflection)) * resize(room, raster.width, raster.height)
    return Display(
        screen,
        pitch=float(MM_PER_INCH / screen.ppi * FACE_WIDTH / rng.uniform(*screen.face)),
        phases=(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 2 * math.pi))),
        mirrored=dull,
        bands=(float(rng.uniform(*screen.flicker)), float(rng.uniform(0.4, 1.6)), float(rng.uniform(-2, 2))),
        gloss=float(rng.uniform(0.0, 0.5)),
    )


def show_screen(
    display: Display, frame: Image, area: Raster, surface: Surface, lamp: Lamp, raster: Raster, seconds: float
) -> tuple[Image, Pattern]:
    """Show a video frame on a screen, as if the screen filled the picture.

    Args:
        display: the screen.
        frame: display values [0, 1], P×Q×3.
        area: where the frame's pixels lie, in face coordinates.
        surface: the panel as the camera sees it.
        lamp: the light in the room.
        raster: the points at which the scene is computed.
        seconds: time, for the band that a rolling shutter sees.

    Returns:
        Its mean radiance H×W×3, in which pixels that are too fine are averaged, and the pattern of the pixels.
    """
    screen = display.screen
    panel = np.power(np.clip(picture_on(surface, frame, area), 0.0, 1.0), np.float32(screen.gamma))
    panel = tinted(panel * np.float32(1.0 - screen.black) + np.float32(screen.black), warm(screen.white))
    depth, cycles, speed = display.bands
    rows = (raster.top + (np.arange(raster.height) + 0.5) * raster.pitch) * cycles / 2 + speed * seconds
    panel *= (1.0 + depth * np.sin(2 * math.pi * rows)).astype(np.float32)[:, None, None]
    metal = np.exp(-((np.abs(surface.beyond) / RIM) ** 2))
    frame_grey = screen.bezel * (1.0 + 3.0 * metal) * (1.0 - 0.4 * step(0.0, 0.03, surface.outside))
    within = inside(surface.outside, surface)
    lit = mix(tinted(thrice(frame_grey), lamp.colour), panel, within)
    glass = tinted(display.mirrored + thrice(display.gloss * sheen(surface, lamp, 0.003)), lamp.colour)
    # Light that the glass reflects does not carry the pattern of the pixels.
    own = within * luminance(panel) / (luminance(panel) + luminance(glass) + np.float32(1e-6))
    pattern = Pattern(surface.u, surface.v, own.astype(np.float32), (tuple(_waves(display)),))
    return (lit + glass).astype(np.float32), pattern


def _waves(display: Display) -> Iterator[Wave]:
    """Return the harmonics of a panel's subpixels around their mean."""
    across, down = display.phases
    frequency, deep = 1.0 / display.pitch, display.screen.matrix
    if display.screen.subpixels == "stripe":
        third = 2.0 * math.pi / 3.0
        offsets = (0.0, -third, -2.0 * third)
        rows = _pulse(1, 0.8) * deep
        for order in (1, 2):
            stripes = _pulse(order, 0.29) * deep
            shifted = tuple(order * (across + offset) for offset in offsets)
            yield _wave(order * frequency, 0.0, shifted, (stripes, stripes, stripes))
            for sign in (1, -1):
                both = tuple(phase + sign * down for phase in shifted)
                yield _wave(order * frequency, sign * frequency, both, (stripes * rows / 2,) * 3)
        yield _wave(0.0, frequency, (down, down, down), (rows, rows, rows))
        return
    # Green in every pixel; red and blue in every other one, like the fields of a chessboard.
    green, other = _pulse(1, 0.45) * deep, 1.27 * _pulse(1, 0.35) * deep
    for x, y in ((1.0, 0.0), (0.0, 1.0)):
        phase = x * across + y * down
        yield _wave(x * frequency, y * frequency, (phase, phase, phase), (other / 2, green, other / 2))
    for sign in (1, -1):
        phase = (across + sign * down) / 2
        half = frequency / 2, sign * frequency / 2
        yield _wave(*half, (phase, phase, phase + math.pi), (other, 0.0, other))


def _wave(across: float, down: float, phase: Sequence[float], strength: Sequence[float]) -> Wave:
    amplitude = np.array(strength, np.float32)[None, None]
    red, green, blue = phase
    return Wave(across, down, (red, green, blue), float(np.abs(amplitude).max()), lambda: amplitude)


def _pulse(order: int, width: float) -> float:
    """Return a harmonic's amplitude, relative to the mean, of pulses of `width` periods."""
    return float(2.0 * np.sinc(order * width))
