"""Compute textures and the separation of light a second time: pixel by pixel, from the papers' definitions."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np


def uniform_label(bits: list[int]) -> int:
    """Return the label of a pattern: by number of ones and where they begin; the last for all others."""
    points, ones = len(bits), sum(bits)
    changes = sum(bits[i] != bits[i - 1] for i in range(points))
    if changes > 2:
        return points * (points - 1) + 2
    if ones in (0, points):
        return 0 if ones == 0 else points * (points - 1) + 1
    start = next(i for i in range(points) if bits[i] == 1 and bits[i - 1] == 0)
    return 1 + (ones - 1) * points + (points - start) % points


def lbp_label(image: np.ndarray, y: int, x: int, points: int, radius: int) -> int:
    """Return the label at a pixel, with exact arithmetic on coordinates of five digits."""
    bits = []
    for point in range(points):
        angle = 2 * math.pi * point / points
        down = Fraction(f"{-radius * math.sin(angle):.5f}") + y
        right = Fraction(f"{radius * math.cos(angle):.5f}") + x
        top, left = math.floor(down), math.floor(right)
        value = Fraction(0)
        for row, share in ((top, 1 - (down - top)), (top + 1, down - top)):
            for column, part in ((left, 1 - (right - left)), (left + 1, right - left)):
                if share and part:
                    value += share * part * int(image[row, column])
        bits.append(int(value >= int(image[y, x])))
    return uniform_label(bits)


def coalbp(image: np.ndarray, radius: int, interval: int) -> list[float]:
    """Return the shares of pairs of patterns, direction after direction."""
    side, value = image.shape[0], image.astype(int)
    inner = range(radius, side - radius)
    code = {
        (y, x): sum(
            weight * int(value[y + dy * radius, x + dx * radius] >= value[y, x])
            for weight, dy, dx in ((8, -1, 0), (4, 0, 1), (2, 1, 0), (1, 0, -1))
        )
        for y in inner
        for x in inner
    }
    found: list[float] = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        pairs = Counter(
            16 * first + code[y + dy * interval, x + dx * interval]
            for (y, x), first in code.items()
            if (y + dy * interval, x + dx * interval) in code
        )
        found += [pairs[pair] / pairs.total() for pair in range(256)]
    return found


def windows(image: np.ndarray) -> np.ndarray:
    """Return the complex Fourier coefficients of each 7×7 window at (a, 0), (0, a), (a, a), (a, −a): N×4."""
    a, found = 1 / 7, []
    for y in range(3, image.shape[0] - 3):
        for x in range(3, image.shape[1] - 3):
            sums = [0j] * 4
            for dy in range(-3, 4):
                for dx in range(-3, 4):
                    for k, (u, v) in enumerate(((a, 0), (0, a), (a, a), (a, -a))):
                        wave = np.exp(-2j * np.pi * (u * dx + v * dy))
                        sums[k] += float(image[y + dy, x + dx]) * wave
            found.append(sums)
    return np.array(found)


SPECULAR_X, SPECULAR_Y, SETTLED = "x", "y", ("diffuse", "boundary", "noise", "dark")


def specular(face: np.ndarray) -> np.ndarray:
    """Return the specular light of an H×W×3 image: the method of Tan and Ikeuchi, pixel by pixel."""
    height, width = face.shape[:2]
    rgb = face.astype(float)
    free = _free(rgb)
    state = np.full((height, width), "", object)
    state[(rgb < 10).all(axis=2)] = "dark"
    for threshold in (0.06, 0.05, 0.04, 0.03, 0.02, 0.01):
        count = _label(rgb, free, state, threshold)
        while count:
            _pass(rgb, state)
            now = _label(rgb, free, state, threshold)
            if now == 0 or now >= count:
                break
            count = now
        state[state != "dark"] = ""
    return face[..., 0] - rgb[..., 0]


def _chroma(pixel: np.ndarray) -> float:
    return float(pixel.max() / pixel.sum()) if pixel.sum() else 0.0


def _free(rgb: np.ndarray) -> np.ndarray:
    free = np.zeros_like(rgb)
    for place in np.ndindex(rgb.shape[:2]):
        pixel, most = rgb[place], _chroma(rgb[place])
        diffuse = pixel.max() * (3 * most - 1) / (most * (3 * 0.6 - 1)) if most else 0.0
        free[place] = np.clip(pixel - (pixel.sum() - diffuse) / 3, 0, 255)
    return free


def _log(step: float) -> float:
    return math.log(abs(step)) if step else -math.inf


def _label(rgb: np.ndarray, free: np.ndarray, state: np.ndarray, threshold: float) -> int:
    one, other, count = rgb.sum(axis=2), free.sum(axis=2), 0
    for y in range(1, rgb.shape[0] - 1):
        for x in range(1, rgb.shape[1] - 1):
            if state[y, x] in SETTLED:
                continue
            kind = "diffuse"
            for mark, there in ((SPECULAR_X, (y, x + 1)), (SPECULAR_Y, (y + 1, x))):
                apart = abs(_log(one[there] - one[y, x]) - _log(other[there] - other[y, x]))
                if apart > threshold:  # not a number if both do not step
                    kind = mark
                    count += 1
                    break
            state[y, x] = kind
    return count


def _pass(rgb: np.ndarray, state: np.ndarray) -> None:
    before = rgb.copy()
    for y in range(rgb.shape[0] - 1):
        for x in range(rgb.shape[1] - 1):
            if state[y, x] not in (SPECULAR_X, SPECULAR_Y):
                continue
            here, there = (y, x), (y, x + 1) if state[y, x] == SPECULAR_X else (y + 1, x)
            shares = [
                before[p][:2] / before[p].sum() if before[p].sum() else np.zeros(2) for p in (here, there)
            ]
            mine, theirs = _chroma(before[here]), _chroma(before[there])
            if (abs(shares[0] - shares[1]) > 0.1).all():
                state[here] = "boundary"
            elif abs(mine - theirs) < 0.01:
                state[here] = "noise"
            else:
                changed, wanted = (here, theirs) if mine < theirs else (there, mine)
                _take(rgb, before, changed, wanted)
                state[here] = state[there] = "diffuse"


def _take(rgb: np.ndarray, before: np.ndarray, place: tuple[int, int], wanted: float) -> None:
    pixel, most = before[place], _chroma(before[place])
    divisor = most * (3 * wanted - 1)
    if abs(divisor) > 1e-9:
        diffuse = pixel.max() * (3 * most - 1) / divisor
        new = rgb[place] - (pixel.sum() - diffuse) / 3
        if (new >= 0).all():
            rgb[place] = new
