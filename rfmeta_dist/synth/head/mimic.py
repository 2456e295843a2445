"""Move a resting face by expressions: the jaw drops, the mouth smiles, brows rise or eyes close."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from rfmeta_dist.synth.head.anatomy import EXTENT
from rfmeta_dist.synth.head.head import act_index
from rfmeta_dist.synth.imaging.texture import Image, blob, mix, sample, step

# Share of the mesh's largest move that is used, because people before a camera do not yawn or grin widely.
REACH = {"jaw": 0.55, "smile": 0.7, "brows": 1.0}
TEETH = np.array([0.62, 0.57, 0.49], np.float32)
THROAT = np.array([0.050, 0.012, 0.011], np.float32)
TONGUE = np.array([0.26, 0.085, 0.08], np.float32)
RIM = 4  # pixels around parted lips over which the mouth's edge is soft
LASH = np.array([0.02, 0.016, 0.014], np.float32)


@dataclass(frozen=True)
class Mimic:
    """The moving parts of a bust, in face coordinates over [−EXTENT, EXTENT]².

    Attributes:
        acts: M×M×3 each, in the order of ACTS: where an expression takes a point.
        lips: 2×P, the line between the lips from left to right.
        corner: row and column of the window of the lids within the bust.
        closing: h×w: 0 to 1 from the upper to the lower edge of an eye's opening, −1 outside.
        shut: h×w×4, albedo and height with the eyes closed.
    """

    acts: tuple[Image, ...]
    lips: Image
    corner: tuple[int, int]
    closing: Image
    shut: Image


@dataclass(frozen=True)
class Surface:
    """The look of a face at R×R points.

    Attributes:
        albedo: R×R×3 reflectance in linear light.
        height: R×R towards the camera, in face units.
        gloss: R×R in [0, 1], weight of the specular highlight.
    """

    albedo: Image
    height: Image
    gloss: Image


@dataclass(frozen=True)
class Motion:
    """Where in the resting face each pixel of an expression comes from, R×R each.

    Attributes:
        x, y: face coordinates.
        lift: what the expression adds to the height.
        gap: 0 at the upper lip to 1 at the lower lip between parted lips, −1 elsewhere.
        open: height of the gap in face units.
        lips: 2×P, the line between the lips after the expression has moved it.
    """

    x: Image
    y: Image
    lift: Image
    gap: Image
    open: Image
    lips: Image


def move(mimic: Mimic, acts: dict[str, float], x: Image, y: Image) -> Motion:
    """Trace an expression back to the resting face.

    Args:
        mimic: the moving parts of the bust.
        acts: strength of each expression of ACTS from 0 to 1.
        x, y: face coordinates to trace, R×R.
    """
    lift, lips = np.zeros_like(x), mimic.lips
    gap, height = np.full_like(x, -1.0), np.zeros_like(x)
    softer = [(REACH[name] * acts.get(name, 0.0), mimic.acts[act_index(name)]) for name in ("smile", "brows")]
    field: Image | None = None
    for strength, act in softer:
        if strength:
            field = strength * act if field is None else field + strength * act
    if field is not None:
        lips = lips + _look_up(field, lips[:1], lips[1:])[0, :, :2].T
    jaw = REACH["jaw"] * acts.get("jaw", 0.0)
    if jaw > 1e-3:
        x, y, lift, gap, height = _open(lips, jaw * mimic.acts[act_index("jaw")], x, y)
    if field is not None:
        moved_x, moved_y = x, y
        for _ in range(2):
            there = _look_up(field, moved_x, moved_y)
            moved_x, moved_y = x - there[..., 0], y - there[..., 1]
        x, y, lift = moved_x, moved_y, lift + there[..., 2]
    return Motion(x, y, lift, gap, height, lips)


def _open(lips: Image, field: Image, x: Image, y: Image) -> tuple[Image, ...]:
    """Lower the jaw: what is below the line between the lips moves down, what is above does not move."""
    below_x, below_y = x, y
    for _ in range(3):
        there = _look_up(field, below_x, below_y)
        below_x, below_y = x - there[..., 0], y - there[..., 1]
    left, right = lips[0, 0], lips[0, -1]
    line, line_below = (np.interp(across, *lips).astype(np.float32) for across in (x, below_x))
    # Beyond the corners the cheek stretches: the move fades in from above to below.
    across = step(0.06, 0.0, np.maximum(left - x, x - right))
    inside = (x > left) & (x < right)
    above = inside & (y <= line)
    gap = inside & ~above & (below_y <= line_below)
    weight = np.where(above, 0.0, np.where(inside, 1.0, 1.0 - across * step(0.05, -0.02, y - line)))
    source_x, source_y = x + (below_x - x) * weight, y + (below_y - y) * weight
    opening = np.maximum(_look_up(field, x, line)[..., 1], 1e-4)
    # At the corners of the mouth, the lips stay together.
    hold = np.clip(1.0 - ((2 * x - left - right) / (right - left)) ** 2, 0.2, 1.0)
    depth = np.where(gap, (y - line) / (opening * hold), -1.0)
    return (
        source_x.astype(np.float32),
        source_y.astype(np.float32),
        (there[..., 2] * weight).astype(np.float32),
        np.clip(depth, -1.0, 1.0).astype(np.float32),
        np.where(gap, opening, 0.0).astype(np.float32),
    )


def show_mouth(surface: Surface, motion: Motion, x: Image, y: Image) -> Surface:
    """Return a face with teeth, tongue and throat where its lips are parted.

    Args:
        surface: the face; it is not changed.
        motion: its expression, on the same R×R points.
        x, y: face coordinates of the points, R×R.
    """
    rows, columns = (np.flatnonzero((motion.gap >= 0.0).any(axis)) for axis in (1, 0))
    if not len(rows):
        return surface
    part = tuple(slice(max(0, ends[0] - RIM), ends[-1] + RIM + 1) for ends in (rows, columns))
    albedo, height, gloss = surface.albedo.copy(), surface.height.copy(), surface.gloss.copy()
    there = Surface(albedo[part], height[part], gloss[part])
    parted = replace(motion, gap=motion.gap[part], open=motion.open[part])
    mouth = _mouth(there, parted, x[part], y[part])
    albedo[part], height[part], gloss[part] = mouth.albedo, mouth.height, mouth.gloss
    return Surface(albedo, height, gloss)


def _mouth(surface: Surface, motion: Motion, x: Image, y: Image) -> Surface:
    """Return what `show_mouth` paints, near the mouth."""
    soft = cv2.GaussianBlur((motion.gap >= 0.0).astype(np.float32), (0, 0), 0.8)
    left, right = motion.lips[0, 0], motion.lips[0, -1]
    t = (x - (left + right) / 2) / ((right - left) / 2)
    line = np.interp(x, *motion.lips).astype(np.float32)
    down = y - line
    tooth = np.abs(np.sin(t * np.pi * 3.5 / (0.9 + 0.1 * np.abs(t))))
    edge = 0.040 - 0.016 * t**2 - 0.004 * (1.0 - step(0.0, 0.35, tooth))
    upper = step(0.003, -0.003, down - edge) * step(1.0, 0.75, np.abs(t))
    between = 1.0 - 0.45 * step(0.22, 0.0, tooth) - 0.25 * np.abs(t) ** 2
    shade = between * (1.0 - 0.45 * step(0.014, 0.0, down))
    tongue = blob(t, motion.gap, (0.0, 1.05), (0.62, 0.40)) * step(0.03, 0.07, motion.open)
    albedo = mix(np.broadcast_to(THROAT, surface.albedo.shape), TONGUE, np.clip(tongue, 0, 0.8))
    albedo = mix(albedo, TEETH * shade[..., None].astype(np.float32), upper)
    # Less light reaches into the mouth's corners.
    albedo = albedo * (0.85 - 0.5 * np.clip(t**2, 0, 1))[..., None]
    height = surface.height - 0.03
    gloss = 0.015 + 0.20 * upper
    return Surface(
        mix(surface.albedo, albedo.astype(np.float32), soft),
        (surface.height + (height - surface.height) * soft).astype(np.float32),
        (surface.gloss + (gloss - surface.gloss) * soft).astype(np.float32),
    )


def close_eyes(surface: Surface, mimic: Mimic, amount: float, column: Image, row: Image) -> Surface:
    """Return a face with its eyelids lowered.

    Args:
        surface: the face.
        mimic: the moving parts of the bust.
        amount: 0 for open eyes to 1 for closed ones.
        column, row: where in the bust each of the face's R×R points lies, in pixels.
    """
    height, width = mimic.closing.shape
    box = (
        (column > mimic.corner[1])
        & (column < mimic.corner[1] + width - 1)
        & (row > mimic.corner[0])
        & (row < mimic.corner[0] + height - 1)
    )
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    if not len(rows):
        return surface
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    where = column[part] - mimic.corner[1], row[part] - mimic.corner[0]
    closing, shut = sample(mimic.closing, *where), sample(mimic.shut, *where)
    down = amount * 1.08
    lid = np.where(closing < 0.0, min(1.0, 1.6 * amount), step(down + 0.04, down - 0.04, closing))
    lid = (lid * box[part]).astype(np.float32)
    lashes = (
        np.exp(-(((closing - down - 0.03) / 0.09) ** 2))
        * (closing >= 0.0)
        * step(0.02, 0.15, np.float32(amount) + closing * 0)
    )
    albedo, relief, gloss = surface.albedo.copy(), surface.height.copy(), surface.gloss.copy()
    opened = mix(albedo[part], LASH, np.clip(0.8 * lashes, 0, 1))
    albedo[part] = mix(opened, shut[..., :3], lid)
    relief[part] += (shut[..., 3] - relief[part]) * lid
    gloss[part] += (0.08 - gloss[part]) * lid * (gloss[part] > 0.3)
    return replace(surface, albedo=albedo, height=relief, gloss=gloss)


def _look_up(field: Image, x: Image, y: Image) -> Image:
    scale = field.shape[0] / 2 / EXTENT
    return sample(field, (x + EXTENT) * scale - 0.5, (y + EXTENT) * scale - 0.5)
