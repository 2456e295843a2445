"""Screen replays: RGB stripes behind glass; moiré is left to the camera's sampling, never painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.plane import Carrier, Surface, cover, picture_on
from rfmeta_dist.synth.scene import warm
from rfmeta_dist.synth.texture import Image, Rng, mix, resize


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
    """

    pitch: tuple[float, float]
    gamma: float
    white: float
    black: float
    matrix: float
    reflection: tuple[float, float]
    bezel: float
    flicker: tuple[float, float]


def show_screen(
    frame: Image,
    screen: Screen,
    surface: Surface,
    carrier: Carrier,
    rooms: tuple[Image, Image],
    rng: Rng,
) -> Image:
    """Radiance of a screen showing a video frame.

    Args:
        frame: display values [0, 1] over the whole face canvas, P×P×3.
        screen: the display.
        surface: where each of the R×R samples meets the panel.
        carrier: the device as held.
        rooms: what is behind the device and what its glass mirrors, each R×R×3 linear.
        rng: of the recording, so that every frame sees the same screen.

    Returns:
        R×R×3 linear radiance.
    """
    backdrop, mirrored = rooms
    pitch = rng.uniform(*screen.pitch) * 2 * surface.pixel
    panel = np.power(picture_on(surface, frame), screen.gamma, dtype=np.float32)
    panel = (panel * (1.0 - screen.black) + screen.black) * warm(screen.white)
    panel = panel * _stripes(surface, pitch, screen.matrix, rng)
    depth, phase = rng.uniform(*screen.flicker), rng.uniform(0, 6.28)
    panel = panel * (1.0 + depth * np.sin(surface.v * rng.uniform(2.0, 6.0) + phase))[..., None]
    glass = rng.uniform(*screen.reflection) * resize(resize(mirrored[:, ::-1], 24), mirrored.shape[1])
    lit = mix(np.full_like(panel, screen.bezel), panel.astype(np.float32), cover(surface))
    return mix(backdrop, (lit + glass).astype(np.float32), cover(surface, carrier.margin))


def _stripes(surface: Surface, pitch: float, depth: float, rng: Rng) -> Image:
    """Subpixel stripes and black matrix around 1, R×R×3.

    Their first two Fourier terms only: higher ones would alias in our own sampling of the scene,
    before the lens and sensor had their say.
    """
    phase = rng.uniform(0, 2 * np.pi, 2)
    across = surface.u * np.float32(2 * np.pi / pitch) + np.float32(phase[0])
    down = surface.v * np.float32(2 * np.pi / pitch) + np.float32(phase[1])
    second = 0.35 * float(pitch > 4.0 * surface.pixel)
    rows = 1.0 + depth * 0.45 * np.cos(down)
    channels = []
    for subpixel in range(3):
        angle = across - np.float32(subpixel * 2 * np.pi / 3)
        stripe = 1.0 + depth * (np.cos(angle) + second * np.cos(2 * angle))
        channels.append(np.clip(stripe * rows, 0.0, None))
    stripes: Image = np.dstack(channels).astype(np.float32)
    return stripes
