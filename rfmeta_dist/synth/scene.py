"""Light on a live face: shading from the normals of its own depth, over a background."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.pose import View
from rfmeta_dist.synth.texture import Image, Rng, blur, mix, resize, sample, step

WRAP = np.array([0.30, 0.16, 0.12], np.float32)  # red light travels furthest inside skin
SHADOW_PITCH = 0.016  # face units a pixel of the height field that casts shadows
DEPTH_SIZE = 32


@dataclass(frozen=True)
class Light:
    """A kind of lighting.

    Attributes:
        azimuth, elevation: ranges in degrees of the key light; 0, 0 is beside the camera, 90 up is overhead.
        ambient: range of the fraction of light that comes from everywhere.
        warmth: range of colour temperature shift, −1 (blue) to 1 (orange).
        backdrop: range of the background's brightness relative to the face.
    """

    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    ambient: tuple[float, float]
    warmth: tuple[float, float]
    backdrop: tuple[float, float]


@dataclass(frozen=True)
class Lamp:
    """One recording's light: unit vector towards the key, its colour, ambient fraction, backdrop level."""

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]
    ambient: float
    backdrop: float


def draw_lamp(light: Light, rng: Rng) -> Lamp:
    """Set up the light of one recording."""
    azimuth = np.deg2rad(rng.uniform(*light.azimuth)) * rng.choice([-1.0, 1.0])
    elevation = np.deg2rad(rng.uniform(*light.elevation))
    direction = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ],
        np.float32,
    )
    return Lamp(
        direction,
        warm(rng.uniform(*light.warmth)),
        rng.uniform(*light.ambient),
        rng.uniform(*light.backdrop),
    )


def warm(amount: float) -> NDArray[np.float32]:
    """Linear RGB of a light, −1 blue to 1 orange, of unit green."""
    return np.array([1.0 + 0.35 * amount, 1.0, 1.0 - 0.40 * amount], np.float32)


def shade(view: View, lamp: Lamp, backdrop: Image) -> Image:
    """Linear radiance H×W×3 of a posed bust before a backdrop of the same size."""
    normal = _normals(view)
    facing = normal @ lamp.direction
    key = np.clip((facing[..., None] + WRAP) / (1.0 + WRAP), 0.0, None)
    key = key * (1.0 - 0.85 * _cast_shadow(view, lamp))[..., None]
    openness = _openness(view)
    sky = (0.75 - 0.25 * normal[..., 1]) * openness
    light = lamp.ambient * sky[..., None] + (1.0 - lamp.ambient) * 1.25 * key
    half = lamp.direction + np.array([0.0, 0.0, 1.0], np.float32)
    shine = np.clip(normal @ (half / np.linalg.norm(half)), 0.0, 1.0)
    for _ in range(4):  # to the power 16, cheaper than pow
        shine = shine * shine
    # Skin reflects some of the surroundings unchanged in colour, which dark skin shows most.
    surface = view.gloss * (shine * (1.0 - lamp.ambient) + 0.4 * lamp.ambient * openness)
    radiance = (view.albedo * light + surface[..., None]) * lamp.colour
    return mix(backdrop * lamp.backdrop * lamp.colour, radiance.astype(np.float32), view.cover)


def depth_map(view: View) -> NDArray[np.uint8]:
    """The 32×32 depth label of a live view: 0 background, 255 nearest, from 25 at the far shoulder."""
    covered = view.height[view.cover > 0.5]
    near, far = float(covered.max()), float(np.percentile(covered, 1))
    nearness = 0.1 + 0.9 * np.clip((view.height - far) / (near - far), 0.0, 1.0)
    small = resize((nearness * (view.cover > 0.5)).astype(np.float32), DEPTH_SIZE)
    depth: NDArray[np.uint8] = np.round(small * 255.0 / small.max()).astype(np.uint8)
    return depth


def _normals(view: View) -> Image:
    """Unit normals H×W×3 (x right, y down, z to the camera)."""
    slope_x = cv2.Sobel(view.height, cv2.CV_32F, 1, 0, scale=0.125 / view.scale)
    slope_y = cv2.Sobel(view.height, cv2.CV_32F, 0, 1, scale=0.125 / view.scale)
    # Outlines are cliffs in a height field; unlimited they would draw a bright or black rim.
    slope_x, slope_y = np.clip(slope_x, -2.5, 2.5), np.clip(slope_y, -2.5, 2.5)
    front = 1.0 / np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    normal: Image = cv2.merge([-slope_x * front, -slope_y * front, front])
    return normal


def _openness(view: View) -> Image:
    """How much of the sky a point sees: less where it lies deeper than its surroundings."""
    small, scale = _shrink(view)
    around = blur(small, 0.07 / scale)
    opening = np.clip(1.0 - 3.2 * np.clip(around - small, 0.0, None), 0.3, 1.0)
    return resize(opening.astype(np.float32), *view.height.shape[::-1])


def _cast_shadow(view: View, lamp: Lamp) -> Image:
    """Shadows of nose, brow and chin: does the ray to the lamp run into the height field?"""
    small, scale = _shrink(view)
    right, down, front = lamp.direction.tolist()
    across = max(math.hypot(right, down), 1e-3)
    rise = max(front, 0.05) / across
    row, column = np.mgrid[0 : small.shape[0], 0 : small.shape[1]].astype(np.float32)
    blocked = np.zeros_like(small)
    for distance in (0.03, 0.06, 0.10, 0.16, 0.24):
        pixels = distance / scale / across
        there = sample(small, column + right * pixels, row + down * pixels)
        blocked = np.maximum(blocked, there - small - distance * rise)
    soft = blur(step(0.0, 0.06, blocked.astype(np.float32)), 0.8)
    return resize(soft, *view.height.shape[::-1])


def _shrink(view: View) -> tuple[Image, float]:
    """Heights as coarse as shadows need, and the face units of one of their pixels."""
    height, width = view.height.shape
    scale = max(view.scale, SHADOW_PITCH)
    rows, columns = (max(2, round(side * view.scale / scale)) for side in (height, width))
    return resize(view.height, columns, rows), scale
