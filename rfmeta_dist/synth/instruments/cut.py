"""Cut eye holes into a print, and show the eyes of the attacker behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, blur
from rfmeta_dist.synth.instruments.plane import Surface
from rfmeta_dist.synth.place.scene import Lamp

WOBBLE = (2, 3, 5)  # harmonics of a hand-cut outline: how often it goes out and in per turn
RIM = 0.004  # visible thickness of the paper, face units
REACH = 1.9  # how far a hole and its rim extend, in radii


@dataclass(frozen=True)
class Holes:
    """Two holes in a sheet, in the face coordinates of the picture on it.

    Attributes:
        centres: 2×2.
        radii: half width and half height of each hole, 2×2.
        wobble: amplitude and phase of each harmonic of each outline, 2×3×2.
        gap: distance from the sheet to the eyes behind it, face units.
    """

    centres: NDArray[np.floating]
    radii: NDArray[np.floating]
    wobble: NDArray[np.floating]
    gap: float


def cut_out(eyes: NDArray[np.floating], rng: Rng) -> Holes:
    """Cut holes around the printed eyes (centres, 2×2), by hand and so not exactly where the eyes are."""
    amplitudes = rng.uniform(0.0, 0.07, (2, len(WOBBLE)))
    phases = rng.uniform(0.0, 2 * math.pi, (2, len(WOBBLE)))
    return Holes(
        centres=eyes + rng.normal(0.0, 0.008, (2, 2)),
        radii=np.array([rng.uniform(0.095, 0.125), rng.uniform(0.052, 0.072)])
        * rng.uniform(0.95, 1.05, (2, 2)),
        wobble=np.stack([amplitudes, phases], axis=2),
        gap=float(rng.uniform(0.06, 0.2)),
    )


def depth_in(holes: Holes, surface: Surface) -> Image:
    """Return the distance inside the nearer hole's outline, negative outside, in face units, H×W.

    The distance is accurate near the outline only.
    """
    return np.maximum(*(_depth_in_one(holes, eye, surface) for eye in (0, 1)))


def _depth_in_one(holes: Holes, eye: int, surface: Surface) -> Image:
    wide, tall = holes.radii[eye].astype(np.float32)
    across = (surface.u - np.float32(holes.centres[eye, 0])) / wide
    down = (surface.v - np.float32(holes.centres[eye, 1])) / tall
    angle, outline = np.arctan2(down, across), np.float32(1.0)
    for times, (amplitude, phase) in zip(WOBBLE, holes.wobble[eye].astype(np.float32), strict=True):
        outline = outline + amplitude * np.cos(times * angle + phase)
    depth: Image = (outline - np.hypot(across, down)) * tall
    return depth


def light_behind(depth: Image, holes: Holes, surface: Surface, lamp: Lamp) -> Image:
    """Return the share of light that falls through the holes on what is behind them, H×W in [0, 1]."""
    hole = (depth > 0).astype(np.float32)
    right, down, front = lamp.direction.tolist()
    # A point `gap` behind the sheet is lit through the place of the sheet that its ray to the lamp passes.
    shift = holes.gap / max(front, 0.25) / surface.pixel
    moved = cv2.warpAffine(hole, np.array([[1, 0, -right * shift], [0, 1, -down * shift]]), hole.shape[::-1])
    beam = blur(moved, 0.02 / surface.pixel)
    sky = np.clip(blur(hole, 0.5 * holes.gap / surface.pixel) * 1.1, 0.0, 1.0)
    share: Image = lamp.ambient * (0.5 + 0.5 * sky) + (1 - lamp.ambient) * (0.3 + 0.7 * beam)
    return share


def lay_sheet(print_: Image, behind: Image, depth: Image, surface: Surface, lamp: Lamp) -> Image:
    """Return the radiance of a print with holes: what the holes show, and the paper's cut edge around them.

    Args:
        print_: radiance of the print without holes, H×W×3.
        behind: radiance of what is behind the print, H×W×3.
        depth: distance of each pixel from the nearest edge of a hole, H×W in metres; positive inside a hole.
        surface: the print's surface, which says how large a pixel is.
        lamp: the light that the cut edge reflects.
    """
    through = np.clip(depth / surface.pixel + 0.5, 0.0, 1.0)[..., None]
    # The side of the cut edge that faces the lamp is bright, the other one is in shade.
    down, across = np.gradient(blur(depth, 1.0))
    slope = np.hypot(across, down) + 1e-6
    facing = (across * lamp.direction[0] + down * lamp.direction[1]) / slope
    edge = np.exp(-(((depth - RIM / 2) / (RIM / 2 + surface.pixel)) ** 2))[..., None]
    paper = (0.24 + 0.14 * facing)[..., None] * lamp.colour
    seen = print_ + (behind - print_) * through
    rimmed: Image = seen + (paper - seen) * 0.4 * edge * (depth > -RIM)[..., None]
    return rimmed.astype(np.float32)
