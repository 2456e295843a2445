"""Fingers that hold a carrier: rounded, creased skin over its edge, and the shadow they throw on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.plane import FAR, Carrier, Surface
from rfmeta_dist.synth.scene import Lamp
from rfmeta_dist.synth.texture import Image, Rng, mix, step
from rfmeta_dist.synth.tiles import Tile, draw_tile

HELD = 0.75  # share of the edges in view, of a carrier in the hand, with a finger on them
LIGHTEST = np.array([0.62, 0.42, 0.32], np.float32)
MELANIN = np.array([0.95, 1.30, 1.65], np.float32)


@dataclass(frozen=True)
class Finger:
    """One finger lying on a carrier, in face coordinates.

    Attributes:
        tip, root: ends of its middle line.
        radius: at the tip; the root is half as wide again.
        nail: whether its back with the nail is seen.
    """

    tip: tuple[float, float]
    root: tuple[float, float]
    radius: float
    nail: bool


@dataclass(frozen=True)
class Hand:
    """The fingers of one recording and the skin they have."""

    fingers: tuple[Finger, ...]
    skin: NDArray[np.floating]
    mottle: Tile


def draw_hand(carrier: Carrier, rng: Rng) -> Hand:
    """Fingers on the edges that are in view: a thumb from the side, or some fingertips from behind."""
    fingers: list[Finger] = []
    left, right, top, bottom = carrier.edges
    for side, edge in enumerate(carrier.edges):
        if abs(edge) >= FAR or rng.random() > HELD:
            continue
        across = (max(top, -1.0), min(bottom, 1.2)) if side < 2 else (max(left, -0.9), min(right, 0.9))
        at, inwards = rng.uniform(*np.add(across, (0.25, -0.15))), -1.0 if side % 2 else 1.0
        thumb = rng.random() < 0.7
        size = float(rng.uniform(0.055, 0.085))
        for number in range(1 if thumb else int(rng.integers(2, 4))):
            reach = rng.uniform(0.10, 0.30) if thumb else rng.uniform(0.04, 0.10)
            place, slant = at + number * 2.1 * size, rng.normal(0.0, 0.35 if thumb else 0.1)
            tip = edge + inwards * (reach - carrier.margin), place
            root = edge - inwards * (0.55 + carrier.margin), place + 0.6 * math.tan(slant)
            ends = (tip, root) if side < 2 else (tip[::-1], root[::-1])
            fingers.append(Finger(*ends, radius=size * (1.25 if thumb else 1.0), nail=True))
    skin = LIGHTEST * np.exp(-MELANIN * rng.uniform(0.0, 1.5)) * rng.uniform(0.9, 1.1, 3)
    return Hand(tuple(fingers), skin.astype(np.float32), draw_tile(rng, 0.05, 128, octaves=3))


def lay_hand(radiance: Image, hand: Hand, surface: Surface, lamp: Lamp) -> Image:
    """The radiance H×W×3 with the fingers over it, their shadows under them."""
    for finger in hand.fingers:
        radiance = _lay_finger(radiance, finger, hand, surface, lamp)
    return radiance


def _lay_finger(radiance: Image, finger: Finger, hand: Hand, surface: Surface, lamp: Lamp) -> Image:
    along, across, wide = _place(finger, surface)
    lift = np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0))
    # The shadow falls away from the lamp; right under the finger no light comes in at all.
    shift = 0.7 * finger.radius * lamp.direction[:2] / max(float(lamp.direction[2]), 0.3)
    shadow = _place(finger, surface, (float(shift[0]), float(shift[1])))[2]
    dark = 0.6 * (1 - lamp.ambient) * step(1.35, 0.75, shadow) + 0.5 * step(1.45, 0.95, wide)
    on_sheet = step(0.0, -0.02, surface.beyond)
    under = radiance * (1.0 - np.clip(dark, 0.0, 0.85) * on_sheet)[..., None]
    albedo = hand.skin * _skin(finger, hand, along, across, surface)[..., None]
    direction = np.subtract(finger.tip, finger.root)
    sideways = np.array([-direction[1], direction[0]]) / np.hypot(*direction)
    round_off = np.clip(along / np.float32(finger.radius), 0.0, 1.0)  # towards the end of the tip
    tipwards = direction / np.hypot(*direction)
    normal_x = across * sideways[0] * np.sqrt(1 - round_off**2) + round_off * tipwards[0]
    normal_y = across * sideways[1] * np.sqrt(1 - round_off**2) + round_off * tipwards[1]
    facing = normal_x * lamp.direction[0] + normal_y * lamp.direction[1] + lift * lamp.direction[2]
    key = np.clip((facing[..., None] + [0.3, 0.16, 0.12]) / [1.3, 1.16, 1.12], 0.0, None)
    sky = (0.75 - 0.25 * normal_y) * (0.45 + 0.55 * lift)
    light = lamp.ambient * sky[..., None] + (1 - lamp.ambient) * 1.25 * key
    half = lamp.direction + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    shine = 0.05 * np.clip(normal_x * half[0] + normal_y * half[1] + lift * half[2], 0.0, 1.0) ** 20
    flesh = (albedo * light + shine[..., None]) * lamp.colour
    edge = surface.pixel / finger.radius
    return mix(under, flesh.astype(np.float32), step(1.0 + edge, 1.0 - edge, wide)).astype(np.float32)


def _place(
    finger: Finger, surface: Surface, shift: tuple[float, float] = (0.0, 0.0)
) -> tuple[Image, Image, Image]:
    """Distance past the tip's centre, signed distance from the middle line and from its end, both in radii."""
    direction = np.subtract(finger.tip, finger.root).astype(np.float32)
    length = float(np.hypot(*direction))
    direction /= length
    u = surface.u - np.float32(finger.tip[0] - shift[0])
    v = surface.v - np.float32(finger.tip[1] - shift[1])
    along = u * direction[0] + v * direction[1]
    aside = v * direction[0] - u * direction[1]
    back = np.clip(-along / length, 0.0, 1.0)
    # Wider at the joint and towards the root.
    radius = finger.radius * (1.0 + 0.5 * back**2 + 0.07 * np.exp(-(((back - 0.42) / 0.09) ** 2)))
    past = np.clip(along, 0.0, None)
    return past, aside / radius, np.hypot(aside, past * np.float32(0.85)) / radius


def _skin(finger: Finger, hand: Hand, along: Image, across: Image, surface: Surface) -> Image:
    """Relative albedo of a finger: creases at the joint, mottling, and a paler nail."""
    direction = np.subtract(finger.tip, finger.root).astype(np.float32)
    length = float(np.hypot(*direction))
    place = (
        (surface.u - np.float32(finger.tip[0])) * direction[0]
        + (surface.v - np.float32(finger.tip[1])) * direction[1]
    ) / np.float32(length * finger.radius)
    bow = place + np.float32(0.25) * across**2
    crease = sum(np.exp(-(((bow + at) / 0.10) ** 2)) for at in (3.0, 3.3, 3.65))
    texture: Image = 1.0 + 0.07 * hand.mottle.at(surface.u, surface.v) - 0.22 * np.clip(crease, 0.0, 1.0)
    if not finger.nail:
        return texture
    nail = step(1.15, 0.95, np.hypot(across / np.float32(0.62), (place + np.float32(0.05)) / np.float32(0.75)))
    rim = np.exp(-(((np.hypot(across / 0.62, (place + 0.05) / 0.75) - 1.05) / 0.08) ** 2))
    result: Image = texture * (1.0 + 0.16 * nail - 0.2 * rim * (along <= finger.radius))
    return result
