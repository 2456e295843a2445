"""Paint what is behind a person, out of focus: walls, curtains, offices, windows and the outdoors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, mix, resize, step
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.place.furniture import (
    paint_cabinet,
    paint_door,
    paint_pane,
    paint_picture,
    paint_pinboard,
    paint_plant,
    paint_shelf,
    paint_skirting,
)
from rfmeta_dist.synth.place.panorama import Colour, Panorama
from rfmeta_dist.synth.place.scene import warm

FACE_UNIT = 0.16  # metres
# Linear colours of paint, cloth and plaster that rooms are made of.
PLASTER = np.array(
    [
        (0.62, 0.61, 0.58),
        (0.55, 0.50, 0.41),
        (0.42, 0.43, 0.44),
        (0.40, 0.47, 0.52),
        (0.44, 0.49, 0.38),
        (0.50, 0.40, 0.32),
        (0.30, 0.30, 0.31),
    ]
)
CLOTH = np.array(
    [
        (0.45, 0.42, 0.38),
        (0.30, 0.08, 0.07),
        (0.07, 0.10, 0.20),
        (0.32, 0.27, 0.18),
        (0.16, 0.20, 0.17),
        (0.38, 0.38, 0.40),
        (0.22, 0.15, 0.11),
    ]
)


def paint_backdrop(kind: str, framing: Framing, raster: Raster, rng: Rng) -> Image:
    """Paint a background: H×W×3 linear radiance of around 0.1 to 1.

    Args:
        kind: `wall`, `curtain`, `office`, `window` or `outdoor`.
        framing: framing of the recording, which gives the size of a metre.
        raster: the points to paint. The room is the same, whatever part of it they show.
        rng: random generator of the room.
    """
    # A background is further away than the person, so it appears smaller.
    metre = rng.uniform(0.4, 0.8) / FACE_UNIT / framing.half
    room, softness = _set_up(metre, raster, rng), rng.uniform(0.004, 0.022)
    ROOMS[kind](room, rng)
    sigma = max(softness * 2.0 / (raster.pitch * 2.0), 0.6)
    soft = blur(np.clip(room.image, 0.004, 4.0).astype(np.float32), sigma)
    return resize(soft, raster.width, raster.height)


def _set_up(metre: float, raster: Raster, rng: Rng) -> Panorama:
    """Return an empty room at half the raster's resolution; `metre` is in crop units."""
    height, width = (raster.height + 1) // 2, (raster.width + 1) // 2
    half = Raster(raster.left, raster.top, raster.pitch * raster.width / width, height, width)
    across, down = half.grid()
    standing, aside = rng.uniform(1.15, 1.6), rng.uniform(-1.2, 1.2)
    roll = rng.normal(0.0, 0.02)
    yaw, pitch = rng.normal(0.0, (0.10, 0.05)) / 3.0
    # Metres → crop units: turn, then a mild perspective because the wall is not parallel to the picture.
    cos, sin = metre * np.cos(roll), metre * np.sin(roll)
    place = np.array(
        [[cos, sin, -cos * aside - sin * standing], [sin, -cos, -sin * aside + cos * standing], [0, 0, 1]]
    )
    tilt = np.array([[1, 0, 0], [0, 1, 0], [yaw, pitch, 1]])
    sampled = np.array(
        [
            [1 / half.pitch, 0, -half.left / half.pitch - 0.5],
            [0, 1 / half.pitch, -half.top / half.pitch - 0.5],
            [0, 0, 1],
        ]
    )
    to_pixels = sampled @ tilt @ place
    back = np.linalg.inv(tilt @ place).astype(np.float32)
    depth = back[2, 0] * across + back[2, 1] * down + back[2, 2]
    x = (back[0, 0] * across + back[0, 1] * down + back[0, 2]) / depth
    y = (back[1, 0] * across + back[1, 1] * down + back[1, 2]) / depth
    return Panorama(np.zeros((height, width, 3), np.float32), x, y, to_pixels)


def _choose(palette: Colour, rng: Rng, spread: float = 0.12) -> Colour:
    """Return a colour of the palette, slightly varied."""
    picked = palette[int(rng.integers(len(palette)))]
    chosen: Colour = picked * rng.uniform(1 - spread, 1 + spread, 3) * rng.uniform(0.75, 1.15)
    return chosen


def _plaster(room: Panorama, rng: Rng) -> None:
    """Paint a wall under uneven light, sometimes with a corner of the room and its other wall."""
    colour = _choose(PLASTER, rng)
    room.image[:] = colour
    room.light(1.0 + 0.012 * room.clouds(rng, 0.5) + 0.010 * room.clouds(rng, 0.03))
    centre = rng.uniform(-1.5, 1.5), rng.uniform(1.0, 2.6)
    pool = np.exp(-((room.x - centre[0]) ** 2 + (room.y - centre[1]) ** 2) / rng.uniform(1.0, 4.0))
    room.light(rng.uniform(0.6, 0.95) + 0.5 * pool)
    if rng.random() < 0.4:
        edge, side = rng.uniform(0.3, 1.2), float(rng.choice([-1.0, 1.0]))
        beyond = step(0.0, 0.01, side * room.x - edge)
        near = np.exp(-np.abs(side * room.x - edge) / 0.15)
        room.light(1.0 + (rng.uniform(0.6, 1.25) - 1.0) * beyond - 0.15 * near)


def _wall(room: Panorama, rng: Rng) -> None:
    _plaster(room, rng)
    paint_skirting(room, rng)
    for _ in range(int(rng.integers(0, 3))):
        paint_picture(room, rng)


def _curtain(room: Panorama, rng: Rng) -> None:
    """Paint cloth in folds of uneven width, darker in the valleys, and slightly translucent."""
    phase = room.x * (2 * np.pi / rng.uniform(0.09, 0.22)) + 0.25 * np.sin(room.y * 1.3)
    phase = (
        phase + 1.6 * np.sin(room.x * rng.uniform(3, 7) + rng.uniform(0, 6)) + 0.3 * room.clouds(rng, 0.5, 2)
    )
    fold = 0.5 + 0.5 * np.sin(phase) + 0.22 * np.sin(2 * phase + 1.0)
    depth = rng.uniform(0.25, 0.6)
    cloth = _choose(CLOTH, rng, 0.2)
    room.image[:] = cloth * (1.0 - depth + depth * fold)[..., None]
    if rng.random() < 0.4:
        band = step(0.3, 0.8, np.sin(room.y * rng.uniform(8, 30)))
        room.light(1.0 - rng.uniform(0.1, 0.4) * band)
    glow = np.exp(-(((room.x - rng.uniform(-1, 1)) / 0.7) ** 2))
    room.light(0.8 + rng.uniform(0.0, 0.7) * glow + 0.02 * room.clouds(rng, 0.02))


def _office(room: Panorama, rng: Rng) -> None:
    """Paint a wall with two or three things along it that offices and homes have."""
    _plaster(room, rng)
    paint_skirting(room, rng)
    pieces = (paint_shelf, paint_door, paint_cabinet, paint_pinboard, paint_shelf, paint_picture)
    left = rng.uniform(-1.6, -0.7)
    for index in rng.permutation(len(pieces))[:3]:
        left = pieces[index](room, rng, left) + rng.uniform(0.1, 0.6)
    if rng.random() < 0.4:
        paint_plant(room, rng)


def _window(room: Panorama, rng: Rng) -> None:
    _plaster(room, rng)
    room.light(rng.uniform(0.5, 0.8))  # seen against the light
    paint_pane(room, rng, rng.uniform(-1.3, 0.3), _outside(room, rng))
    if rng.random() < 0.5:
        paint_plant(room, rng)


def _outdoor(room: Panorama, rng: Rng) -> None:
    room.image[:] = _outside(room, rng) * np.float32(0.6)


def _outside(room: Panorama, rng: Rng) -> Image:
    """Return sky over trees, or a building with windows among trees, H×W×3."""
    sky = warm(rng.uniform(-0.5, 0.0)) * rng.uniform(0.9, 1.6)
    view = np.broadcast_to(sky.astype(np.float32), room.image.shape) * np.float32(1.0)
    if rng.random() < 0.6:
        facade = _choose(PLASTER, rng) * rng.uniform(0.7, 1.3)
        top, pitch, storey = rng.uniform(1.5, 3.0), rng.uniform(0.3, 0.8), rng.uniform(0.4, 0.9)
        there = step(top + 0.01, top - 0.01, room.y) * step(0.0, 0.02, room.x - rng.uniform(-3.0, 0.0))
        panes = step(0.1, 0.2, np.sin(room.x * 2 * np.pi / pitch)) * step(
            0.2, 0.3, np.sin(room.y * 2 * np.pi / storey)
        )
        view = mix(view, facade * (1.0 - 0.65 * panes)[..., None], there)
    green = np.array([0.075, 0.115, 0.04]) * rng.uniform(0.8, 1.25, 3) * rng.uniform(0.6, 1.4)
    leaves = 0.45 * room.clouds(rng, 0.30, 3) + 0.40 * room.clouds(rng, 0.06, 3)
    light = np.clip(1.0 + leaves, 0.12, 2.6)[..., None] * (
        1.0 + 0.12 * room.clouds(rng, 0.4)[..., None] * [1, 0, -1]
    )
    ragged = 0.16 * room.clouds(rng, 0.9, 2) + 0.07 * room.clouds(rng, 0.12, 4)
    skyline = room.y - rng.uniform(0.9, 1.9) + ragged
    view = mix(view, green * light, step(0.03, -0.03, skyline))
    ground = _choose(PLASTER, rng) * 0.7
    return mix(view, np.broadcast_to(ground, view.shape), step(0.75, 0.55, room.y)).astype(np.float32)


ROOMS: Mapping[str, Callable[[Panorama, Rng], None]] = MappingProxyType(
    {"wall": _wall, "curtain": _curtain, "office": _office, "window": _window, "outdoor": _outdoor}
)
