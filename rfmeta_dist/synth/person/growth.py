"""Grow hair: guide hairs from the scalp that follow the rules of a style."""

from __future__ import annotations

import numpy as np

from rfmeta_dist.synth.imaging.texture import Rng, step
from rfmeta_dist.synth.person.styles import Hair, Style, Vectors, hairline

SKULL, RADII = np.array([0.0, -0.215, 0.0]), np.array([0.478, 0.585, 0.56])
KNOT = 0.17  # radius of a bun


def grow(hair: Hair, style: Style, rng: Rng) -> Vectors:
    """Return paths G×P×3 of the guide hairs, from roots spread over the scalp."""
    count = 1600 if style.length < 0.15 else 900
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), index * np.pi * (3 - np.sqrt(5))
    around = np.stack([np.sin(polar) * np.cos(azimuth), np.cos(polar), np.sin(polar) * np.sin(azimuth)], -1)
    around += rng.normal(0, 0.03, around.shape)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    root = SKULL + RADII * around
    front = around[:, 2] > -0.12
    ragged = np.abs(rng.normal(0, 0.022, count))
    scalp = np.where(front, root[:, 1] + ragged < hairline(hair, root[:, 0]), root[:, 1] < 0.15)
    root, around, front = root[scalp], around[scalp], front[scalp]
    steps = 16
    if style.comb == "bun":
        return _gathered(hair, style, root, rng)
    length = hair.stretch * style.length * rng.uniform(0.75, 1.1, len(root))
    if style.comb in {"forward", "fringed"}:
        # The fringe ends above the eyes.
        fringe = front & (np.abs(root[:, 0]) < 0.34) & (root[:, 1] < -0.3)
        length = np.where(
            fringe, np.clip(-0.17 + rng.normal(0, 0.02, len(root)) - root[:, 1], 0.05, 0.45), length
        )
    lift = hair.stretch * style.volume * rng.uniform(0.15, 1.0, len(root)) ** 0.7
    led = _led(hair, style.comb, root, around, rng)
    upright = 1.0 if style.comb == "radial" else 0.35
    direction, point = led + upright * around + rng.normal(0, 0.1, around.shape), root.copy()
    path = [point]
    for k in range(steps):
        outward = (point - SKULL) / RADII**2
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        # The comb sets the direction in which hair leaves the scalp; free hair falls.
        kept = np.exp(-((k / steps * length / 0.22) ** 2))[:, None] if style.gravity > 0.4 else 1.0
        weight = style.gravity * (0.3 + 1.6 * k / steps)
        pull = style.stiffness * led * kept + np.array([0.0, weight, 0.0])
        direction = direction * 0.55 + 0.45 * pull
        inwards = np.minimum((direction * outward).sum(1, keepdims=True), 0.0)
        near = np.linalg.norm((point - SKULL) / RADII, axis=1, keepdims=True) < 1.0 + lift[:, None] / 0.5
        direction -= inwards * outward * near
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
        point = point + direction * (length / steps)[:, None]
        if style.comb in {"parted", "fringed"}:
            point = _off_the_face(point, root, hair, rng)
        # Hair that starts in front falls before the shoulder, the rest behind it.
        forward = np.where(root[:, 2] > 0.17, 0.03, -0.004) * step(0.3, 0.7, point[:, 1])
        point[:, 2] += forward
        grown = min(1.0, (k + 1) / 4.0)
        level = np.linalg.norm((point - SKULL) / RADII, axis=1) / (1.0 + (0.01 + lift * grown) / 0.5)
        inside = level < 1.0
        point[inside] = SKULL + (point[inside] - SKULL) / level[inside, None]
        path.append(point)
    return np.stack(path, 1)


def _gathered(hair: Hair, style: Style, root: Vectors, rng: Rng) -> Vectors:
    """Return hair that is led over the skull to a knot on the crown or low behind the head, and the knot."""
    t = np.linspace(0.0, 1.0, 17)[:, None]
    high = hair.stretch > 1.0
    knot = np.array([0.0, -0.86, -0.5]) if high else np.array([0.0, 0.35, -0.9])
    knot /= np.linalg.norm(knot)
    outward = (root - SKULL) / RADII
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    # Hair follows the shortest path over a sphere.
    angle = np.arccos(np.clip(outward @ knot, -0.999, 0.999))[:, None, None]
    way = np.sin((1 - t) * angle) * outward[:, None] + np.sin(t * angle) * knot
    lift = style.volume * rng.uniform(0.2, 1.0, len(root))[:, None, None] * np.clip(4 * t, 0, 1)
    led = SKULL + RADII * way / np.sin(angle) * (1.01 + lift / 0.5)
    turns = 190
    axis = rng.normal(0.0, (0.35, 1.0, 0.35), (turns, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    first = np.cross(axis, rng.standard_normal((turns, 3)))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(axis, first)
    size = KNOT * hair.stretch * rng.uniform(0.75, 1.0, (turns, 1, 1)) * [1.15, 0.9, 1.0]
    round_it = 2.6 * t + rng.uniform(0, 2 * np.pi, (turns, 1, 1))
    coil = np.cos(round_it) * first[:, None] + np.sin(round_it) * second[:, None]
    return np.concatenate([led, SKULL + RADII * knot * 1.18 + size * coil])


def _off_the_face(point: Vectors, root: Vectors, hair: Hair, rng: Rng) -> Vectors:
    """Return hair that hangs beside the face instead of before it."""
    side = np.sign(root[:, 0] - hair.part + 1e-6)
    beside = 0.385 + 0.05 * np.clip(rng.standard_normal(len(point)), -1, 1)
    short = np.clip(beside - side * point[:, 0], 0.0, None)
    before = step(-0.62, -0.36, point[:, 1]) * (point[:, 2] > 0.1)
    moved = point.copy()
    moved[:, 0] += side * short * 0.55 * before
    return moved


def _led(hair: Hair, comb: str, root: Vectors, outward: Vectors, rng: Rng) -> Vectors:
    """Return unit vectors along which each root's hair is led."""
    x, zero, one = root[:, 0], np.zeros(len(root)), np.ones(len(root))
    away = np.sign(x - hair.part + 1e-6) * np.clip(np.abs(x - hair.part) / 0.05, 0.3, 1.0)
    side = np.sign(hair.part + 1e-6)
    match comb:
        case "crew":
            led = np.stack([0.5 * x + 0.2 * side, -0.5 * one, 0.45 * one], -1)
        case "swept":
            led = np.stack([-side * one, -0.35 * one, 0.15 * one], -1)
        case "back":
            led = np.stack([0.35 * x, -0.25 * one, -1.0 * one], -1)
        case "parted":
            led = np.stack([away, 0.1 * one, -0.25 * one], -1)
        case "forward" | "fringed":
            led = np.stack([0.35 * x + 0.15 * side, 0.5 * one, 0.8 * one], -1)
            if comb == "fringed":
                behind = (np.abs(x) > 0.30) | (root[:, 2] < 0.20)
                led[behind] = np.stack([np.sign(x) * 0.6, 0.8 * one, zero], -1)[behind]
        case "messy":
            led = (
                outward
                + np.stack([-0.4 * side * one, -0.2 * one, 0.5 * one], -1)
                + rng.normal(0, 0.45, root.shape)
            )
        case _:
            led = outward.copy()
    beside = step(0.34, 0.44, np.abs(x))[:, None] * (comb in {"crew", "swept", "forward", "messy", "back"})
    # Hair combed back goes behind the ears.
    fall, deep = (0.35, -1.0) if comb == "back" else (0.8, -0.5)
    down = np.stack([0.1 * np.sign(x), fall * one, deep * one], -1)
    led = led + (down - led) * beside
    unit: Vectors = led / (np.linalg.norm(led, axis=1, keepdims=True) + 1e-9)
    return unit
