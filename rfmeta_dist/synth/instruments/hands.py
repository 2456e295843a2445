"""Paint the hand that holds a carrier: thumb over its edge, fist and forearm behind it, and their shadows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, mix, step
from rfmeta_dist.synth.imaging.tiles import Tile, lay_tile
from rfmeta_dist.synth.instruments.plane import FAR, Carrier, Surface
from rfmeta_dist.synth.place.scene import Lamp

HELD = 0.75  # probability that a hand holds a visible edge of a carrier that is not on a support
LIGHTEST = np.array([0.62, 0.42, 0.32], np.float32)
MELANIN = np.array([0.95, 1.30, 1.65], np.float32)
Place = tuple[float, float]


@dataclass(frozen=True)
class Limb:
    """A rounded piece of a hand or sleeve, in the face coordinates of the picture.

    Attributes:
        tip, root: ends of its middle line.
        radius: radius at the tip, in face units.
        wider: by which fraction of `radius` the root is wider than the tip; below 0 it is narrower.
        colour: linear albedo, RGB, each from 0 to 1.
        finger: True if it has a finger's creases and nail.
    """

    tip: Place
    root: Place
    radius: float
    wider: float
    colour: NDArray[np.floating]
    finger: bool


@dataclass(frozen=True)
class Hand:
    """The hands that hold a carrier.

    Attributes:
        behind: limbs that are painted before the carrier, which hides parts of them.
        over: limbs that are painted after the carrier, and hide parts of it.
        mottle: pattern of the skin.
    """

    behind: tuple[Limb, ...]
    over: tuple[Limb, ...]
    mottle: Tile


def draw_hand(carrier: Carrier, held: bool, rng: Rng) -> Hand:
    """Choose hands at random that hold the visible edges of a carrier, from the sides or from below.

    Args:
        carrier: the paper or screen.
        held: False if the carrier stands on a support; the result then has no limbs.
        rng: random generator.
    """
    skin = (LIGHTEST * np.exp(-MELANIN * rng.uniform(0.0, 1.5)) * rng.uniform(0.9, 1.1, 3)).astype(np.float32)
    sleeve = (rng.uniform(0.02, 0.4, 3) * rng.uniform(0.3, 1.0)).astype(np.float32)
    mottle = lay_tile(rng, 0.05, octaves=3)
    behind: list[Limb] = []
    over: list[Limb] = []
    left, right, top, bottom = carrier.edges
    for side, edge in enumerate(carrier.edges):
        # A hand does not reach down from above.
        if side == 2 or abs(edge) >= FAR or rng.random() > HELD or not held:
            continue
        between = (max(top, -0.7), min(bottom, 1.1)) if side < 2 else (max(left, -0.8), min(right, 0.8))
        at = float(rng.uniform(*np.add(between, (0.2, -0.1))))
        inwards, size = (-1.0 if side % 2 else 1.0), float(rng.uniform(0.065, 0.10))
        outline = edge - inwards * carrier.margin

        def place(out: float, along: float) -> Place:
            """Return the place `out` outside the outline and `along` it, both in radii of a thumb."""
            spot = outline - inwards * out * size, at + along * size  # noqa: B023
            return spot if side < 2 else spot[::-1]  # noqa: B023

        lean = float(rng.uniform(0.5, 1.8)) * (1.0 if side < 2 else float(rng.choice([-1.0, 1.0])))
        reach, wrist = float(rng.uniform(1.2, 3.4)), float(rng.uniform(5.0, 8.0))
        over.append(Limb(place(-reach, 0.0), place(3.0, 0.8 * lean), size, 0.45, skin, finger=True))
        arm = float(rng.uniform(3.0, 9.0)) * lean
        cuff = place(wrist + 3.0, lean + 0.8 * arm)
        # The back of the hand, the wrist and the sleeve over it lie along one line.
        behind += [
            Limb(place(1.0, lean), place(wrist + 8.0, lean + arm), 2.5 * size, -0.15, skin, finger=False),
            Limb(cuff, place(50.0, lean + 6.0 * arm), 2.7 * size, 0.5, sleeve, finger=False),
        ]
        behind += [
            Limb(place(-1.0, k * 1.9), place(3.5, k * 1.7 + lean), 1.05 * size, 0.2, skin, finger=False)
            for k in (-1.4, -0.4, 0.6, 1.6)
        ]
    return Hand(tuple(behind), tuple(over), mottle)


def lay_limbs(
    radiance: Image, limbs: tuple[Limb, ...], mottle: Tile, surface: Surface, lamp: Lamp, *, shadows: bool
) -> Image:
    """Paint limbs over a picture.

    Args:
        radiance: H×W×3, linear; it is not changed.
        limbs: parts of hands, painted in order.
        mottle: pattern of the skin.
        surface: the carrier as the camera sees it, on the same grid of H×W points.
        lamp: the light.
        shadows: True to paint also the shadows that the limbs cast on the carrier.

    Returns:
        A new radiance, H×W×3.
    """
    for limb in limbs:
        radiance = _lay(radiance, limb, mottle, surface, lamp, shadows=shadows)
    return radiance


def covered_by(limbs: tuple[Limb, ...], surface: Surface) -> Image:
    """Return how much of each point of a carrier the limbs hide from the camera. Shadows are not included.

    Args:
        limbs: parts of hands that lie over the carrier.
        surface: the carrier as the camera sees it, on a grid of H×W points.

    Returns:
        H×W float32 from 0 (in full view) to 1 (hidden). Values in between occur at the edges of limbs. Where
        limbs overlap, the larger value counts.
    """
    hidden = np.zeros(surface.u.shape, np.float32)
    for limb in limbs:
        edge = max(surface.pixel / limb.radius, 0.06)
        part = _near(limb, surface)
        if part is not None:
            wide = _around(limb, surface.part(part))[2]
            hidden[part] = np.maximum(hidden[part], step(1.0 + edge, 1.0 - edge, wide))
    return hidden


def _near(limb: Limb, surface: Surface) -> tuple[slice, slice] | None:
    """Return the rows and columns that a limb can reach, found on few samples; None if it is not in view."""
    few = max(1, int(0.4 * limb.radius / surface.pixel))
    wide = _around(limb, surface.part((slice(None, None, few), slice(None, None, few))))[2]
    near = np.flatnonzero((wide < 2.5).any(axis=1)), np.flatnonzero((wide < 2.5).any(axis=0))
    if not near[0].size:
        return None
    rows, columns = (slice(max(0, (int(e[0]) - 1) * few), (int(e[-1]) + 1) * few) for e in near)
    return rows, columns


def _lay(radiance: Image, limb: Limb, mottle: Tile, surface: Surface, lamp: Lamp, *, shadows: bool) -> Image:
    part = _near(limb, surface)
    if part is None:
        return radiance
    if shadows:
        wide = _around(limb, surface)[2]
        # The shadow falls away from the lamp. Directly under the finger there is no light at all.
        shift = 0.7 * limb.radius * lamp.direction[:2] / max(float(lamp.direction[2]), 0.3)
        shadow = _around(limb, surface, (float(shift[0]), float(shift[1])))[2]
        dark = 0.6 * (1 - lamp.ambient) * step(1.35, 0.75, shadow) + 0.5 * step(1.45, 0.95, wide)
        radiance = radiance * (1.0 - np.clip(dark, 0.0, 0.85) * step(0.0, -0.02, surface.beyond))[..., None]
    seen = surface.part(part)
    past, across, wide = _around(limb, seen)
    flesh = _lit(limb, past, across, lamp) * _skin(limb, mottle, across, seen)[..., None] * lamp.colour
    edge = max(surface.pixel / limb.radius, 0.06)
    result = radiance.astype(np.float32)
    result[part] = mix(result[part], flesh.astype(np.float32), step(1.0 + edge, 1.0 - edge, wide))
    return result


def _lit(limb: Limb, past: Image, across: Image, lamp: Lamp) -> Image:
    """Return the radiance of a smooth limb under white light, H×W×3."""
    direction = np.subtract(limb.tip, limb.root)
    tipwards = direction / np.hypot(*direction)
    ends = np.clip(past / np.float32(limb.radius), 0.0, 1.0)
    side = np.clip(across, -1.0, 1.0) * np.sqrt(1 - ends**2)
    lift = np.sqrt(np.clip(1.0 - side**2 - ends**2, 0.0, 1.0))
    right = side * -tipwards[1] + ends * tipwards[0]
    down = side * tipwards[0] + ends * tipwards[1]
    facing = right * lamp.direction[0] + down * lamp.direction[1] + lift * lamp.direction[2]
    # Red light reaches furthest around the limb, because it scatters furthest in skin.
    key = np.clip((facing[..., None] + [0.3, 0.16, 0.12]) / [1.3, 1.16, 1.12], 0.0, None)
    sky = (0.75 - 0.25 * down) * (0.45 + 0.55 * lift)
    half = lamp.direction + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    shine = 0.05 * np.clip(right * half[0] + down * half[1] + lift * half[2], 0.0, 1.0) ** 20
    radiance: Image = limb.colour * (lamp.ambient * sky[..., None] + (1 - lamp.ambient) * 1.25 * key)
    radiance += (shine * float(limb.finger))[..., None]
    return radiance


def _around(limb: Limb, surface: Surface, shift: Place = (0.0, 0.0)) -> tuple[Image, Image, Image]:
    """Return the distance past the tip's centre and, in radii, from the middle line (signed) and the axis."""
    direction = np.subtract(limb.tip, limb.root).astype(np.float32)
    length = float(np.hypot(*direction))
    direction /= length
    u, v = surface.u - np.float32(limb.tip[0] - shift[0]), surface.v - np.float32(limb.tip[1] - shift[1])
    along, aside = u * direction[0] + v * direction[1], v * direction[0] - u * direction[1]
    back = np.clip(-along / length, 0.0, 1.0)
    wider = 1.0 + limb.wider * (back * back)
    if limb.finger:
        wider += 0.07 * np.exp(-(((back - 0.42) / 0.09) ** 2))
    radius = limb.radius * wider
    past = np.maximum(along, 0.0)
    ends = np.maximum(past * np.float32(0.85), -along - length)
    return past, aside / radius, np.sqrt(aside * aside + ends * ends) / radius


def _skin(limb: Limb, mottle: Tile, across: Image, surface: Surface) -> Image:
    """Return the relative albedo: mottling, and on a finger creases at the joint and a paler nail."""
    texture: Image = 1.0 + 0.07 * mottle.at(surface.u, surface.v)
    if not limb.finger:
        return texture
    direction = np.subtract(limb.tip, limb.root).astype(np.float32)
    u, v = surface.u - np.float32(limb.tip[0]), surface.v - np.float32(limb.tip[1])
    place = (u * direction[0] + v * direction[1]) / np.float32(math.hypot(*direction) * limb.radius)
    bow = place + np.float32(0.25) * across**2
    crease = sum(np.exp(-(((bow + at) / 0.10) ** 2)) for at in (2.6, 2.9, 3.2))
    ring = np.hypot(across / np.float32(0.62), (place + np.float32(0.05)) / np.float32(0.75))
    nail, rim = step(1.15, 0.95, ring), np.exp(-(((ring - 1.05) / 0.08) ** 2))
    texture *= (1.0 - 0.22 * np.clip(crease, 0.0, 1.0)) * (1.0 + 0.16 * nail - 0.2 * rim)
    return texture
