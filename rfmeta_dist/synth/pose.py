"""Head pose and expression: a bust as the camera frames it, with depth kept in register."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.bust import Bust
from rfmeta_dist.synth.framing import Framing, Raster
from rfmeta_dist.synth.head import EXTENT
from rfmeta_dist.synth.mimic import Surface, close_eyes, move, show_mouth
from rfmeta_dist.synth.texture import Image, Rng, sample, step

PIVOT = 0.12  # height of the axis the head turns about


@dataclass(frozen=True)
class Pose:
    """Head turn in radians (yaw to the right, pitch down) and expression, each from 0 to 1."""

    yaw: float = 0.0
    pitch: float = 0.0
    blink: float = 0.0
    jaw: float = 0.0
    smile: float = 0.0
    brows: float = 0.0


@dataclass(frozen=True)
class View:
    """A posed bust as the camera sees it, H×W: as `Bust`, with `scale` = face units per pixel."""

    albedo: Image
    height: Image
    cover: Image
    gloss: Image
    skin: Image
    scale: float


def draw_pose(rng: Rng) -> Pose:
    """A recording's mean head turn and a resting expression."""
    yaw, pitch = np.clip(rng.normal(0.0, (0.14, 0.08)), -0.32, 0.32)
    return Pose(float(yaw), float(pitch), 0.0, float(max(0.0, rng.uniform(-0.5, 0.4))))


def turned(pose: Pose, x: float, y: float, lift: float) -> tuple[float, float]:
    """Where a point of the resting head, `lift` high, appears once the head is turned; see `project`."""
    lift -= PIVOT
    return (
        x * math.cos(pose.yaw) + lift * math.sin(pose.yaw),
        y * math.cos(pose.pitch) + lift * math.sin(pose.pitch),
    )


def project(bust: Bust, pose: Pose, framing: Framing, raster: Raster) -> View:
    """Turn the head, set the expression and frame it, by one backward warp.

    A height field turned by a small angle moves each point sideways by height × sin(angle); which
    point lands on a pixel is found by substitution. Nothing shows beside the shoulders; below its edge the
    bust goes on as it ends.
    """
    x, y = framing.to_face(*raster.grid())
    # The body stays while the head turns.
    turn = step(1.0, 0.62, y)
    sin_yaw, sin_pitch = math.sin(pose.yaw) * turn, math.sin(pose.pitch) * turn
    cos_yaw, cos_pitch = np.sqrt(1.0 - sin_yaw**2), np.sqrt(1.0 - sin_pitch**2)
    source_x, source_y = x, y
    for _ in range(4):
        # What hides behind the outline turns with it.
        lift = np.maximum(sample(bust.height, *_pixels(bust, source_x, source_y)), 0.0) - PIVOT
        source_x = source_x + 0.75 * ((x - lift * sin_yaw) / cos_yaw - source_x)
        source_y = source_y + 0.75 * ((y - lift * sin_pitch) / cos_pitch - source_y)
    return _express(bust, pose, source_x, source_y, framing.half * raster.pitch)


def _pixels(bust: Bust, x: Image, y: Image) -> tuple[Image, Image]:
    """Face coordinates → pixel positions in the bust's images."""
    half = bust.cover.shape[0] / 2.0
    scale = half / EXTENT
    return x * scale + half - 0.5, y * scale + half - 0.5


def _express(bust: Bust, pose: Pose, x: Image, y: Image, scale: float) -> View:
    """The turned face with its expression; x and y are where its pixels lie on the face turned back."""
    acts = {"jaw": pose.jaw, "smile": pose.smile, "brows": pose.brows}
    motion = move(bust.mimic, acts, x, y)
    column, row = _pixels(bust, motion.x, motion.y)
    albedo, gloss = sample(bust.albedo, column, row), sample(bust.gloss, column, row)
    surface = Surface(albedo, sample(bust.height, column, row), gloss)
    squint = 0.22 * pose.smile
    shut = max(pose.blink, squint)
    if shut > 0.02:
        surface = close_eyes(surface, bust.mimic, shut, column, row)
    surface = show_mouth(surface, bust.mimic, motion, x, y)
    # Turned back, a plane leans; its own slope must not show as relief.
    height = surface.height + motion.lift - x * math.sin(pose.yaw) - y * math.sin(pose.pitch)
    cover = sample(bust.cover, column, row) * step(1.32, 1.28, np.abs(x))
    return View(surface.albedo, height.astype(np.float32), cover, surface.gloss, sample(bust.skin, column, row), scale)
