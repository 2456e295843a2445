"""Head pose and expression: a bust as the camera frames it, with depth kept in register."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.bust import Bust
from rfmeta_dist.synth.framing import Framing, Raster
from rfmeta_dist.synth.head import EXTENT, MOUTH_Y
from rfmeta_dist.synth.texture import Image, Rng, pair, sample, step

PIVOT = 0.12  # height of the axis the head turns about


@dataclass(frozen=True)
class Pose:
    """Head turn in radians (yaw to the right, pitch down) and expression, each from 0 to 1."""

    yaw: float = 0.0
    pitch: float = 0.0
    blink: float = 0.0
    jaw: float = 0.0


@dataclass(frozen=True)
class View:
    """A posed bust as the camera sees it, H×W: as `Bust`, with `scale` = face units per pixel."""

    albedo: Image
    height: Image
    cover: Image
    gloss: Image
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
    point lands on a pixel is found by two rounds of substitution.
    """
    x, y = framing.to_face(*raster.grid())
    # The body stays while the head turns.
    turn = step(0.95, 0.60, y)
    sin_yaw, sin_pitch = math.sin(pose.yaw) * turn, math.sin(pose.pitch) * turn
    cos_yaw, cos_pitch = np.sqrt(1.0 - sin_yaw**2), np.sqrt(1.0 - sin_pitch**2)
    source_x, source_y = x, y
    for _ in range(2):
        lift = sample(bust.height, *_pixels(bust, source_x, source_y)) - PIVOT
        source_x = (x - lift * sin_yaw) / cos_yaw
        source_y = (y - lift * sin_pitch) / cos_pitch
    source_y = _express(bust, pose, source_x, source_y)
    column, row = _pixels(bust, source_x, source_y)
    albedo = sample(bust.albedo, column, row)
    lift = sample(bust.height, column, row)
    height = lift * cos_yaw - source_x * sin_yaw - source_y * sin_pitch
    cover, gloss = sample(bust.cover, column, row), sample(bust.gloss, column, row)
    return View(albedo, height, cover, gloss, framing.half * raster.pitch)


def _pixels(bust: Bust, x: Image, y: Image) -> tuple[Image, Image]:
    """Face coordinates → pixel positions in the bust's images."""
    half = bust.cover.shape[0] / 2.0
    scale = half / EXTENT
    return x * scale + half - 0.5, y * scale + half - 0.5


def _express(bust: Bust, pose: Pose, x: Image, y: Image) -> Image:
    """Where in the resting face to look: lids squeeze the eye shut, the jaw draws the mouth down."""
    if pose.blink:
        column, row = bust.eyes
        squeeze = 2.0 * pose.blink * pair(x, y, (column, row + 0.01), (0.15, 0.042))
        y = y + (y - row - 0.01) * squeeze
    if pose.jaw:
        y = y - 0.05 * pose.jaw * step(MOUTH_Y - 0.02, MOUTH_Y + 0.05, y) * step(0.95, 0.6, y)
    return y
