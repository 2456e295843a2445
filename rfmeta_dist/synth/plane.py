"""A flat carrier, paper or screen, held before the camera: where it is, and how it tilts and bends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.framing import Framing
from rfmeta_dist.synth.head import EXTENT
from rfmeta_dist.synth.texture import Image, Rng, grid, sample, step


@dataclass(frozen=True)
class Carrier:
    """One recording's flat carrier, in the face coordinates of the picture on it.

    Attributes:
        tilt: perspective strength along x and y per face unit.
        bend: cylindrical bend along x; 0 for a screen.
        edges: picture's left, right, top and bottom; far outside if its borders are not in view.
        margin: width of paper white or bezel outside the picture.
        corner: radius of the carrier's rounded corners.
    """

    tilt: tuple[float, float]
    bend: float
    edges: tuple[float, float, float, float]
    margin: float
    corner: float


@dataclass(frozen=True)
class Surface:
    """A carrier as the camera sees it, R×R samples.

    Attributes:
        u, v: face coordinates on the picture (right, down).
        outside: distance outside the picture's edges, negative within, in face units.
        pixel: face units per sample.
    """

    u: Image
    v: Image
    outside: Image
    pixel: float


def draw_carrier(framing: Framing, margin: float, bend: float, rng: Rng) -> Carrier:
    """Hold up a carrier; its borders cross the crop in half of the recordings."""
    edges = [-3.0, 3.0, -3.0, 3.0]
    if rng.random() < 0.5:
        for side in rng.permutation(4)[: int(rng.integers(1, 4))]:
            centre = framing.x if side < 2 else framing.y
            reach = framing.half * rng.uniform(0.72, 0.95)
            edges[int(side)] = centre + (reach if side % 2 else -reach)
    tilt = np.clip(rng.normal(0.0, 0.055, 2), -0.14, 0.14)
    return Carrier(
        tilt=(float(tilt[0]), float(tilt[1])),
        bend=float(rng.uniform(-bend, bend)),
        edges=(edges[0], edges[1], edges[2], edges[3]),
        margin=margin,
        corner=float(rng.uniform(0.0, 0.06)),
    )


def look_at(carrier: Carrier, framing: Framing, resolution: int) -> Surface:
    """Trace each sample of the crop to the carrier: framing, then perspective, then bend."""
    x, y = framing.to_face(*grid(resolution))
    away = 1.0 / (1.0 + carrier.tilt[0] * x + carrier.tilt[1] * y)
    u, v = x * away, y * away
    u, v = u * (1.0 + 0.3 * carrier.bend**2 * u**2), v + carrier.bend * 0.12 * u**2
    left, right, top, bottom = carrier.edges
    across = np.abs(u - (left + right) / 2) - (right - left) / 2 + carrier.corner
    down = np.abs(v - (top + bottom) / 2) - (bottom - top) / 2 + carrier.corner
    beyond = np.hypot(np.clip(across, 0, None), np.clip(down, 0, None))
    outside = beyond + np.minimum(np.maximum(across, down), 0.0) - carrier.corner
    pixel = 2.0 * framing.half / resolution
    return Surface(u, v, outside, pixel)


def picture_on(surface: Surface, picture: Image) -> Image:
    """Samples of a picture that spans [−EXTENT, EXTENT]² in face coordinates."""
    half = picture.shape[0] / 2.0
    column = surface.u * (half / EXTENT) + half - 0.5
    row = surface.v * (half / EXTENT) + half - 0.5
    return sample(picture, column, row)


def cover(surface: Surface, margin: float = 0.0) -> Image:
    """1 on the picture grown by `margin`, 0 beyond, with an edge one sample soft."""
    return step(surface.pixel, -surface.pixel, surface.outside - margin)


def planar_light(surface: Surface, rng: Rng) -> tuple[Image, Image]:
    """Light on a plane with no trace of a face's relief: a gradient around 1, and one broad sheen in [0, 1]."""
    slope = rng.normal(0.0, 0.22, 2).tolist()
    level = 1.0 + slope[0] * surface.u + slope[1] * surface.v
    at, width = rng.uniform(-1.0, 1.0, 2).tolist(), rng.uniform(0.3, 0.9)
    distance = (surface.u - at[0]) ** 2 + (surface.v - at[1]) ** 2
    sheen = rng.uniform(0.0, 1.0) * np.exp(-distance / width**2)
    return np.clip(level, 0.3, None), sheen


def drop_shadow(surface: Surface, margin: float) -> Image:
    """How much light reaches the background just outside the carrier."""
    dimmed: Image = 1.0 - 0.45 * np.exp(-np.clip(surface.outside - margin, 0.0, None) / 0.06)
    return dimmed
