"""Pose a head and set its expression: a bust as the camera frames it, with depth in register."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.head.mimic import Surface, close_eyes, move, show_mouth
from rfmeta_dist.synth.imaging.texture import Image, Rng, sample, step
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.person.bust import Bust

PIVOT = 0.12  # height of the axis the head turns about
LEVELS = 20  # number of heights at which lines of sight are tested


@dataclass(frozen=True)
class Pose:
    """How a head is turned, and its expression.

    Attributes:
        yaw: rotation to the right of the picture, in radians.
        pitch: rotation downwards, in radians.
        blink: 0 for open eyes to 1 for closed ones.
        jaw, smile, brows: strength of each expression of `anatomy.ACTS`, 0 to 1.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    blink: float = 0.0
    jaw: float = 0.0
    smile: float = 0.0
    brows: float = 0.0


@dataclass(frozen=True)
class View:
    """A posed bust as the camera sees it.

    Attributes:
        albedo, height, cover, gloss, skin: as in `Bust`, at H×W pixels.
        scale: face units per pixel.
    """

    albedo: Image
    height: Image
    cover: Image
    gloss: Image
    skin: Image
    scale: float


def draw_pose(rng: Rng) -> Pose:
    """Choose a recording's mean head turn and resting expression at random; the eyes are open."""
    yaw, pitch = np.clip(rng.normal(0.0, (0.14, 0.08)), -0.32, 0.32)
    # Most people before a camera keep their mouth shut; some smile at it.
    jaw, smile, brows = np.clip(rng.uniform((-0.8, -0.7, -0.8), (0.3, 0.6, 0.4)), 0.0, None).tolist()
    return Pose(float(yaw), float(pitch), 0.0, jaw, smile, brows)


def turned(pose: Pose, x: float, y: float, lift: float) -> tuple[float, float]:
    """Return where a point of the resting head, `lift` high, appears on the turned head; see `project`."""
    lift -= PIVOT
    return (
        x * math.cos(pose.yaw) + lift * math.sin(pose.yaw),
        y * math.cos(pose.pitch) + lift * math.sin(pose.pitch),
    )


def project(bust: Bust, pose: Pose, framing: Framing, raster: Raster) -> View:
    """Turn the head, set the expression and frame it, by one backward warp.

    A height field that is turned by a small angle moves each point sideways by height × sin(angle). Of the
    points that land on a pixel, the nearest one is visible. Nothing is visible beside the shoulders; below its
    lower edge the bust is continued as it ends.
    """
    x, y = framing.to_face(*raster.grid())
    # The body does not move when the head turns.
    turn = step(1.0, 0.62, y)
    sin_yaw, sin_pitch = math.sin(pose.yaw) * turn, math.sin(pose.pitch) * turn
    cos_yaw, cos_pitch = np.sqrt(1.0 - sin_yaw**2), np.sqrt(1.0 - sin_pitch**2)
    drop = np.zeros_like(x)
    if abs(pose.yaw) + abs(pose.pitch) > 1e-3:
        x, y, drop = _turned_back(bust, x / cos_yaw, y / cos_pitch, sin_yaw / cos_yaw, sin_pitch / cos_pitch)
    # The side to which the head turns moves away from the camera, the other side towards it.
    lean = drop + x * sin_yaw + y * sin_pitch
    view = _express(bust, pose, x, y, framing.half * raster.pitch)
    return replace(view, height=(view.height - lean).astype(np.float32))


def _turned_back(bust: Bust, x: Image, y: Image, right: Image, down: Image) -> tuple[Image, ...]:
    """Return where the line of sight through each pixel meets the bust.

    At height h the line is at (x, y) − (h − PIVOT)·(right, down). It is followed from the front until it is
    under the relief. If it gets there at a jump, as from neck to jaw, it meets a surface that was hidden before
    the head turned. That surface is taken for a wall of the material at the top of the jump.

    Returns:
        x and y on the bust, and how far below the bust's height there the line meets a wall.
    """
    few = max(1, round(max(x.shape) / 400))
    small = tuple(
        np.ascontiguousarray(image[few // 2 :: few, few // 2 :: few]) for image in (x, y, right, down)
    )

    half = np.float32(bust.cover.shape[0] / 2 / EXTENT)
    column, row = _pixels(bust, small[0] + PIVOT * small[2], small[1] + PIVOT * small[3])
    column_step, row_step = half * small[2], half * small[3]

    def relief(height: Image | float) -> Image:
        return np.maximum(sample(bust.height, column - height * column_step, row - height * row_step), 0.0)

    spacing = (float(bust.height.max()) + 0.01) / LEVELS
    found = np.zeros(small[0].shape, bool)
    passed = np.zeros(found.shape, np.uint8)  # number of levels known to be in front of the relief
    place = [column - LEVELS * spacing * column_step, row - LEVELS * spacing * row_step]
    for level in range(LEVELS, 0, -1):
        found |= sample(bust.height, *place) >= level * spacing
        passed += ~found
        place[0] += spacing * column_step
        place[1] += spacing * row_step
    above = (np.float32(LEVELS + 1) - passed) * np.float32(spacing)
    below = above - np.float32(spacing)
    for _ in range(5):
        middle = (above + below) / 2
        under = relief(middle) >= middle
        above, below = np.where(under, above, middle), np.where(under, middle, below)
    behind = above - 0.4 * spacing
    drop = relief(behind) - above
    jump = drop > 2.0 * spacing
    height = np.where(jump, behind, above) - PIVOT
    # Single wrong samples at a jump would be visible as specks.
    height, drop = (
        cv2.resize(cv2.medianBlur(image.astype(np.float32), 5), x.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for image in (height, np.where(jump, drop, 0.0))
    )
    return x - height * right, y - height * down, drop


def _pixels(bust: Bust, x: Image, y: Image) -> tuple[Image, Image]:
    """Convert face coordinates to pixel positions in the bust's images."""
    half = bust.cover.shape[0] / 2.0
    scale = half / EXTENT
    return x * scale + half - 0.5, y * scale + half - 0.5


def _express(bust: Bust, pose: Pose, x: Image, y: Image, scale: float) -> View:
    """Return the turned face with its expression; x and y are where its pixels lie on the face turned back."""
    acts = {"jaw": pose.jaw, "smile": pose.smile, "brows": pose.brows}
    motion = move(bust.mimic, acts, x, y)
    column, row = _pixels(bust, motion.x, motion.y)
    albedo = sample(bust.albedo, column, row)
    height, cover, gloss, skin = cv2.split(sample(bust.planes, column, row))
    surface = Surface(albedo, height, gloss)
    squint = 0.22 * pose.smile
    shut = max(pose.blink, squint)
    if shut > 0.02:
        surface = close_eyes(surface, bust.mimic, shut, column, row)
    surface = show_mouth(surface, motion, x, y)
    height = (surface.height + motion.lift).astype(np.float32)
    cover = cover * step(1.32, 1.28, np.abs(x))
    return View(surface.albedo, height, cover, surface.gloss, skin, scale)
