"""Light a live face: shade it by the normals of its own depth, over a background."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, mix, resize, sample, step
from rfmeta_dist.synth.person.pose import View

SCATTER = (0.034, 0.013, 0.007)  # how far red, green and blue light travels inside skin, face units …
ENTERS = (0.92, 0.80, 0.70)  # … and the share of the light that enters the skin
BOUNCE = np.array([0.22, 0.02, -0.03], np.float32)
SCATTER_PITCH = 0.007
SHADOW_PITCH = 0.016  # face units a pixel of the height field that casts shadows
DEPTH_SIZE = 32


@dataclass(frozen=True)
class Light:
    """A kind of lighting. For each recording, a value is chosen at random from each range.

    Attributes:
        azimuth, elevation: ranges in degrees of the direction of the key light; 0, 0 is beside the camera, 90
            degrees of elevation is overhead.
        ambient: range of the fraction of light that comes from all directions.
        warmth: range of the shift of colour temperature, −1 (blue) to 1 (orange).
        backdrop: range of the background's brightness relative to the face.
    """

    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    ambient: tuple[float, float]
    warmth: tuple[float, float]
    backdrop: tuple[float, float]


@dataclass(frozen=True)
class Lamp:
    """One recording's light.

    Attributes:
        direction: unit vector towards the key light: x right, y down, z towards the camera.
        colour: linear RGB, green is 1.
        ambient: fraction of the light that comes from all directions, 0 to 1.
        backdrop: brightness of the background relative to the face.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]
    ambient: float
    backdrop: float


def draw_lamp(light: Light, rng: Rng) -> Lamp:
    """Choose the light of one recording at random, from the left or the right with equal chance."""
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
    """Return the linear RGB of a light with unit green, −1 blue to 1 orange."""
    return np.array([1.0 + 0.35 * amount, 1.0, 1.0 - 0.40 * amount], np.float32)


def shade(view: View, lamp: Lamp, backdrop: Image) -> Image:
    """Return the linear radiance H×W×3 of a posed bust before the radiance of a backdrop of the same size."""
    normal = _normals(view)
    # A jump in height is where one thing hides another. There is no surface at a jump that could be lit.
    cliff = step(0.26, 0.40, normal[..., 2])
    lit = np.clip(normal @ lamp.direction, 0.0, None) * (1.0 - 0.9 * _cast_shadow(view, lamp)) * cliff
    openness = _openness(view)
    sky = lamp.ambient * (0.78 - 0.22 * normal[..., 1]) * (0.6 + 0.4 * normal[..., 2]) * openness
    hollow = view.skin * (1.0 - openness)
    surface = _highlights(view, normal, lamp, lit, openness)
    radiance = []
    keys = _scattered((1.0 - lamp.ambient) * 1.25 * lit, cliff, view)
    for albedo, key, bounce, colour in zip(cv2.split(view.albedo), keys, BOUNCE, lamp.colour, strict=True):
        # Most of the little light in a hollow was reflected by skin before, so it is red.
        radiance.append((albedo * (sky * (1.0 + hollow * bounce) + key) + surface) * colour)
    return mix(backdrop, cv2.merge(radiance), view.cover)


def _scattered(lit: Image, cliff: Image, view: View) -> list[Image]:
    """Return the lamp's light after scattering in skin: red spreads furthest, so shadows have a warm edge.

    Red, green and blue are returned as H×W each.
    """
    small, scale = _shrink(view, lit, SCATTER_PITCH)
    skin, _ = _shrink(view, view.skin * cliff, SCATTER_PITCH)
    spread = []
    for reach in SCATTER:
        # Samples beside skin, or hidden behind it, send no light into it.
        from_skin = blur(small * skin, reach / scale) / (blur(skin, reach / scale) + np.float32(1e-3))
        spread.append(small if reach < scale / 2 else from_skin)
    soft = [resize(light, *lit.shape[::-1]) for light in spread]
    inner = view.skin * cliff
    # At a jump in height, only the nearer surface is known.
    near = 0.7 * (view.skin - inner) * soft[0]
    # Fine relief remains visible in the light that does not enter the skin.
    return [lit + near + (light - lit) * (share * inner) for light, share in zip(soft, ENTERS, strict=True)]


def _highlights(view: View, normal: Image, lamp: Lamp, lit: Image, openness: Image) -> Image:
    """Return what a surface mirrors of lamp and surroundings: dull on skin and sharp on wet surfaces."""
    half = lamp.direction + np.array([0.0, 0.0, 1.0], np.float32)
    shine = np.clip(normal @ (half / np.linalg.norm(half)), 0.0, 1.0)
    powers = [shine]
    for _ in range(8):  # to the powers 2 … 256, cheaper than pow
        powers.append(powers[-1] * powers[-1])
    wet = step(0.55, 0.9, view.gloss)
    dull = view.gloss * (0.62 * powers[3] + 0.75 * powers[5])
    sharp = 1.1 * step(0.25, 0.6, powers[8]) + 0.01 * powers[4]
    reached = step(0.0, 0.08, lit)
    graze = 1.0 - normal[..., 2]
    graze = 0.35 + 1.6 * graze * graze
    lobes = (dull + (sharp - dull) * wet) * reached * (1.0 - lamp.ambient)
    around = np.minimum(view.gloss, 0.25) * (1.0 - 0.7 * wet) * 0.55 * lamp.ambient * openness * graze
    glint = 0.5 * wet * step(0.5, 0.9, powers[8]) * lamp.ambient
    highlights: Image = lobes + around + glint
    return highlights


def depth_map(view: View) -> NDArray[np.uint8]:
    """Return the 32×32 depth label of a live view: 0 background, 255 nearest, from 25 at the far shoulder."""
    covered = view.height[view.cover > 0.5]
    near, far = float(covered.max()), float(np.percentile(covered, 1))
    nearness = 0.1 + 0.9 * np.clip((view.height - far) / (near - far), 0.0, 1.0)
    small = resize((nearness * (view.cover > 0.5)).astype(np.float32), DEPTH_SIZE)
    depth: NDArray[np.uint8] = np.round(small * 255.0 / small.max()).astype(np.uint8)
    return depth


def _normals(view: View) -> Image:
    """Return unit normals H×W×3 (x right, y down, z to the camera)."""
    slope_x = cv2.Sobel(view.height, cv2.CV_32F, 1, 0, scale=0.125 / view.scale)
    slope_y = cv2.Sobel(view.height, cv2.CV_32F, 0, 1, scale=0.125 / view.scale)
    # At outlines the height field jumps. Without a limit, slopes there would give a bright or black rim.
    slope_x, slope_y = np.clip(slope_x, -3.5, 3.5), np.clip(slope_y, -3.5, 3.5)
    front = 1.0 / np.sqrt(1.0 + slope_x * slope_x + slope_y * slope_y)
    normal: Image = cv2.merge([-slope_x * front, -slope_y * front, front])
    return normal


def _openness(view: View) -> Image:
    """Return how much of the sky a point sees: less where it lies deeper than its surroundings."""
    opening = np.ones(view.height.shape, np.float32)
    for reach, depth, pitch in ((0.11, 2.0, SHADOW_PITCH), (0.030, 4.5, SCATTER_PITCH)):
        small, scale = _shrink(view, view.height, pitch)
        # The height of the body says nothing about the height of the background.
        body = _shrink(view, view.cover, pitch)[0]
        weight = blur(body, reach / scale) + np.float32(1e-3)
        around = blur(small * body, reach / scale) / weight
        hollow = np.clip(1.0 - depth * np.clip(around - small, 0.0, None), 0.3, 1.0)
        opening *= resize(hollow.astype(np.float32), *view.height.shape[::-1])
    return opening


def _cast_shadow(view: View, lamp: Lamp) -> Image:
    """Return the shadows of nose, brow and chin, where the ray to the lamp runs into the height field."""
    small, scale = _shrink(view, view.height, SHADOW_PITCH)
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


def _shrink(view: View, image: Image, pitch: float) -> tuple[Image, float]:
    """Return an image of the view at a pitch of about `pitch` face units, and the exact pitch."""
    height, width = image.shape
    scale = max(view.scale, pitch)
    rows, columns = (max(2, round(side * view.scale / scale)) for side in (height, width))
    return resize(image, columns, rows), scale
