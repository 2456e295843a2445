"""Screen replays: RGB stripes behind glass; moiré is left to the camera's sampling, never painted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, mix, resize, step
from rfmeta_dist.synth.instruments.plane import Surface, inside, picture_on, sheen
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.place.rooms import paint_backdrop
from rfmeta_dist.synth.place.scene import Lamp, warm

MIRRORED = 96  # samples across the reflection
RIM = 0.012  # width of the metal or plastic edge of a device, face units


@dataclass(frozen=True)
class Screen:
    """A display.

    Attributes:
        pitch: range of the screen pixel in sensor pixels (set by display and distance).
        gamma: exponent of the panel.
        white: white point, −1 blue to 1 orange.
        black: light leaking through a black pixel, relative to white.
        matrix: depth of the subpixel stripes and the black matrix, 0 to 1.
        reflection: range of the mirrored room relative to the panel's white.
        bezel: linear grey of the frame.
        flicker: range of the brightness band's depth.
        name: tells it from the domain's others.
    """

    pitch: tuple[float, float]
    gamma: float
    white: float
    black: float
    matrix: float
    reflection: tuple[float, float]
    bezel: float
    flicker: tuple[float, float]
    name: str = ""


@dataclass(frozen=True)
class Display:
    """One screen as set up for a recording.

    Attributes:
        pitch: of its pixels, in face units.
        phases: of stripes and rows.
        mirrored: the room in the glass, H×W×3 relative to the panel's white.
        bands: depth, cycles per crop and cycles a second of the brightness band.
        gloss: brightness of the mirrored lamp.
    """

    screen: Screen
    pitch: float
    phases: tuple[float, float]
    mirrored: Image
    bands: tuple[float, float, float]
    gloss: float


def set_up_screen(screen: Screen, framing: Framing, raster: Raster, sensor: int, rng: Rng) -> Display:
    """Set up a screen before a camera that has `sensor` pixels across the crop and sees `raster`."""
    # The glass mirrors the other side of the room, out of focus; a window is what one sees there.
    width, height = MIRRORED, max(8, round(MIRRORED * raster.height / raster.width))
    coarse = Raster(raster.left, raster.top, raster.width * raster.pitch / width, height, width)
    room = blur(paint_backdrop("window", framing, coarse, rng), rng.uniform(0.8, 3.0))
    dull = np.float32(rng.uniform(*screen.reflection)) * resize(room, raster.width, raster.height)
    return Display(
        screen,
        pitch=float(rng.uniform(*screen.pitch) * 2.0 * framing.half / sensor),
        phases=(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0, 2 * math.pi))),
        mirrored=dull,
        bands=(float(rng.uniform(*screen.flicker)), float(rng.uniform(0.4, 1.6)), float(rng.uniform(-2, 2))),
        gloss=float(rng.uniform(0.0, 0.5)),
    )


def show_screen(
    display: Display, frame: Image, area: Raster, surface: Surface, lamp: Lamp, raster: Raster, seconds: float
) -> Image:
    """Radiance of a screen showing a video frame, H×W×3, as if it filled the picture.

    Args:
        display: the screen.
        frame: display values [0, 1], P×Q×3.
        area: where the frame's pixels lie, in face coordinates.
        surface: where each sample meets the panel.
        lamp: what lights the room.
        raster: the samples.
        seconds: time, for the band that a rolling shutter sees.
    """
    screen = display.screen
    panel = np.power(np.clip(picture_on(surface, frame, area), 0.0, 1.0), np.float32(screen.gamma))
    panel = (panel * np.float32(1.0 - screen.black) + np.float32(screen.black)) * warm(screen.white)
    panel *= _stripes(surface, display)
    depth, cycles, speed = display.bands
    rows = (raster.top + (np.arange(raster.height) + 0.5) * raster.pitch) * cycles / 2 + speed * seconds
    panel *= (1.0 + depth * np.sin(2 * math.pi * rows)).astype(np.float32)[:, None, None]
    metal = np.exp(-((np.abs(surface.beyond) / RIM) ** 2))
    frame_grey = screen.bezel * (1.0 + 3.0 * metal) * (1.0 - 0.4 * step(0.0, 0.03, surface.outside))
    lit = mix(frame_grey[..., None] * lamp.colour, panel, inside(surface.outside, surface))
    glass = display.mirrored + (display.gloss * sheen(surface, lamp, 0.003))[..., None]
    return (lit + glass * lamp.colour).astype(np.float32)


def _stripes(surface: Surface, display: Display) -> Image:
    """Subpixel stripes and black matrix around 1, H×W×3.

    Their first two Fourier terms only: higher ones would alias in our own sampling of the scene,
    before the lens and sensor had their say.
    """
    wave, deep = np.float32(2 * math.pi / display.pitch), np.float32(display.screen.matrix)
    across = surface.u * wave + np.float32(display.phases[0])
    rows = 1 + deep * np.float32(0.45) * np.cos(surface.v * wave + np.float32(display.phases[1]))
    fine = display.pitch > 4.0 * surface.pixel
    stripes = np.empty((*across.shape, 3), np.float32)
    for subpixel in range(3):
        angle = across - np.float32(subpixel * 2 * math.pi / 3)
        stripe = np.cos(angle)
        if fine:
            stripe += np.float32(0.35) * np.cos(2 * angle)
        stripes[..., subpixel] = np.clip((1 + deep * stripe) * rows, 0.0, None)
    return stripes
