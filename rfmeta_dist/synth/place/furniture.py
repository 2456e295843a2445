"""Paint things along a wall, in metres: shelves, doors, cabinets, pictures, windows and plants."""

from __future__ import annotations

import numpy as np

from rfmeta_dist.synth.imaging.texture import Image, Rng
from rfmeta_dist.synth.place.panorama import Colour, Panorama

WOODS = np.array(
    [(0.30, 0.17, 0.08), (0.45, 0.31, 0.17), (0.12, 0.07, 0.04), (0.60, 0.58, 0.54), (0.16, 0.16, 0.17)]
)
DARK = np.array([0.02, 0.02, 0.02])


def _wood(rng: Rng) -> Colour:
    wood: Colour = WOODS[int(rng.integers(len(WOODS)))] * rng.uniform(0.75, 1.2)
    return wood


def _box(left: float, bottom: float, right: float, top: float) -> Colour:
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])


def paint_shelf(room: Panorama, rng: Rng, left: float) -> float:
    """Paint a shelf of books, binders and gaps. Return the x of its right end in metres."""
    right, top, wood = left + rng.uniform(0.7, 1.3), rng.uniform(1.7, 2.3), _wood(rng)
    room.dim(_box(left - 0.04, 0.0, right + 0.08, top + 0.02), 0.75, 0.05)
    room.rectangle(left, 0.0, right, top, wood)
    board, bottom = rng.uniform(0.015, 0.03), 0.08
    while bottom < top - 0.2:
        height = min(rng.uniform(0.28, 0.40), top - bottom - board)
        room.rectangle(
            left + board, bottom, right - board, bottom + height - board, wood * rng.uniform(0.15, 0.4)
        )
        _fill_board(room, rng, (left + board, right - board), bottom, height - board)
        bottom += height
    return float(right)


def _fill_board(room: Panorama, rng: Rng, ends: tuple[float, float], bottom: float, height: float) -> None:
    x = ends[0] + rng.uniform(0.0, 0.2)
    dull = rng.uniform(0.2, 0.8)
    while x < ends[1] - 0.05:
        wide = rng.uniform(0.012, 0.045) if rng.random() < 0.8 else rng.uniform(0.06, 0.09)
        colour = rng.uniform(0.02, 0.55, 3) * rng.uniform(0.4, 1.0)
        colour = colour + (colour.mean() - colour) * dull
        tall = height * rng.uniform(0.6, 0.93)
        room.rectangle(x, bottom, min(x + wide, ends[1]), bottom + tall, colour)
        if rng.random() < 0.4:
            label = bottom + tall * rng.uniform(0.3, 0.75)
            room.rectangle(x + wide * 0.2, label, x + wide * 0.8, label + 0.03, colour * 0.4 + 0.3)
        x += wide + 0.001
        if rng.random() < 0.12:
            x += rng.uniform(0.03, 0.3)


def paint_door(room: Panorama, rng: Rng, left: float) -> float:
    """Paint a door in its frame. Return the x of its right end in metres."""
    right, top, leaf = left + rng.uniform(0.85, 1.0), rng.uniform(2.0, 2.1), _wood(rng)
    frame = leaf * rng.uniform(0.7, 1.3) + rng.uniform(0.0, 0.2)
    room.rectangle(left - 0.08, 0.0, right + 0.08, top + 0.08, frame)
    room.rectangle(left, 0.0, right, top, leaf * 0.45)
    room.rectangle(left + 0.008, 0.0, right - 0.008, top - 0.008, leaf)
    if rng.random() < 0.6:
        for low, high in ((0.15, 0.85), (1.05, 1.9)):
            room.rectangle(left + 0.13, low, right - 0.13, high, leaf * 0.7)
            room.rectangle(left + 0.14, low, right - 0.13, high - 0.012, leaf * 1.04)
    room.rectangle(left + 0.05, 1.02, left + 0.17, 1.045, np.array([0.4, 0.4, 0.4]))
    return float(right + 0.08)


def paint_cabinet(room: Panorama, rng: Rng, left: float) -> float:
    """Paint a cabinet with drawers or doors, maybe a screen or box on it. Return its right end in metres."""
    right, top, body = left + rng.uniform(0.6, 1.4), rng.uniform(0.8, 1.6), _wood(rng)
    room.dim(_box(left - 0.03, 0.0, right + 0.08, top), 0.75, 0.06)
    room.rectangle(left, 0.05, right, top, body * 0.5)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    wide, tall = (right - left) / columns, (top - 0.08) / rows
    for column in range(columns):
        for row in range(rows):
            x, y = left + column * wide, 0.06 + row * tall
            room.rectangle(x + 0.006, y + 0.006, x + wide - 0.006, y + tall - 0.006, body)
            room.rectangle(
                x + wide / 2 - 0.05, y + tall - 0.07, x + wide / 2 + 0.05, y + tall - 0.05, body * 0.35
            )
    room.rectangle(left - 0.01, top, right + 0.01, top + 0.025, body * 1.15)
    at = rng.uniform(left, right - 0.3)
    if rng.random() < 0.5:
        room.rectangle(at + 0.2, top, at + 0.3, top + 0.14, DARK)
        room.rectangle(at, top + 0.12, at + 0.52, top + 0.45, DARK)
        glow = np.array([0.25, 0.32, 0.42]) * rng.uniform(0.2, 2.0)
        room.rectangle(at + 0.015, top + 0.135, at + 0.505, top + 0.435, glow)
    else:
        room.rectangle(at, top + 0.02, at + 0.3, top + rng.uniform(0.15, 0.35), rng.uniform(0.1, 0.5, 3) * 0.8)
    return float(right)


def paint_picture(room: Panorama, rng: Rng, left: float | None = None) -> float:
    """Paint a framed picture or a poster into a room, and return the x of its right end.

    Args:
        room: the room's surroundings, which are changed in place.
        rng: decides size, place, colours and content.
        left: x of the left end in metres to the right of the person; drawn at random if None.
    """
    left = rng.uniform(-1.4, 1.0) if left is None else left
    wide, tall, low = rng.uniform(0.25, 0.7), rng.uniform(0.3, 0.8), rng.uniform(1.1, 1.7)
    frame, mount, rim = _wood(rng), rng.uniform(0.35, 0.65), rng.uniform(0.01, 0.035)
    room.dim(_box(left, low - 0.02, left + wide + 0.02, low + tall), 0.7, 0.02)
    room.rectangle(left, low, left + wide, low + tall, frame)
    room.rectangle(left + rim, low + rim, left + wide - rim, low + tall - rim, np.full(3, mount))
    border = rim + rng.uniform(0.0, 0.08)
    scene = rng.uniform(0.08, 0.4, 3) * (1.0 + 0.5 * room.clouds(rng, 0.2, 3))[..., None]
    scene = scene + 0.1 * room.clouds(rng, 0.3, 2)[..., None] * rng.uniform(-1, 1, 3)
    corners = _box(left + border, low + border, left + wide - border, low + tall - border)
    room.fill(corners, np.clip(scene, 0.01, 0.9))
    return float(left + wide)


def paint_pinboard(room: Panorama, rng: Rng, left: float) -> float:
    """Paint a board with papers pinned to it, or a whiteboard. Return the x of its right end in metres."""
    right, low = left + rng.uniform(0.9, 1.6), rng.uniform(0.9, 1.2)
    high, white = low + rng.uniform(0.7, 1.0), bool(rng.random() < 0.4)
    board = np.array([0.62, 0.63, 0.64]) if white else np.array([0.33, 0.22, 0.12]) * rng.uniform(0.7, 1.1)
    room.rectangle(left - 0.02, low - 0.02, right + 0.02, high + 0.02, np.full(3, 0.3))
    room.rectangle(left, low, right, high, board)
    for _ in range(int(rng.integers(2, 5) if white else rng.integers(4, 12))):
        x, y = rng.uniform(left, right - 0.22), rng.uniform(low, high - 0.3)
        paper = np.full(3, rng.uniform(0.5, 0.75)) * rng.uniform(0.8, 1.0, 3)
        room.rectangle(x, y, x + 0.21, y + rng.uniform(0.15, 0.29), paper)
        for line in range(int(rng.integers(0, 6))):
            room.rectangle(x + 0.02, y + 0.03 + 0.02 * line, x + 0.18, y + 0.036 + 0.02 * line, paper * 0.5)
    return float(right)


def paint_pane(room: Panorama, rng: Rng, left: float, outside: Image) -> float:
    """Paint a window with frame, bars and sill, showing `outside`, H×W×3. Return its right end in metres."""
    right, low = left + rng.uniform(0.9, 1.8), rng.uniform(0.8, 1.0)
    high, frame = low + rng.uniform(1.1, 1.4), np.full(3, rng.uniform(0.2, 0.6))
    room.rectangle(left - 0.06, low - 0.06, right + 0.06, high + 0.06, frame)
    room.fill(_box(left, low, right, high), outside * np.float32(rng.uniform(1.0, 1.8)))
    for bar in np.linspace(left, right, int(rng.integers(2, 5)))[1:-1]:
        room.rectangle(bar - 0.025, low, bar + 0.025, high, frame * 0.6)
    if rng.random() < 0.4:
        bar = low + 0.7 * (high - low)
        room.rectangle(left, bar - 0.02, right, bar + 0.02, frame * 0.6)
    room.rectangle(left - 0.1, low - 0.1, right + 0.1, low - 0.06, frame * 1.2)
    if rng.random() < 0.4:
        _blinds(room, rng, left, right, high)
    return float(right)


def _blinds(room: Panorama, rng: Rng, left: float, right: float, high: float) -> None:
    """Paint slats over a window."""
    pitch, slat = rng.uniform(0.025, 0.05), np.full(3, rng.uniform(0.35, 0.8)) * rng.uniform(0.9, 1.0, 3)
    for low in np.arange(high - rng.uniform(0.2, 1.2), high, pitch):
        room.rectangle(left, low, right, low + pitch * 0.62, slat * (0.8 + 0.4 * rng.random()))


def paint_plant(room: Panorama, rng: Rng) -> None:
    """Paint a pot plant beside the person."""
    x, low = rng.uniform(0.3, 1.0) * rng.choice([-1.0, 1.0]), rng.uniform(0.4, 1.0)
    pot = rng.uniform(0.1, 0.4) * np.array([1.0, 0.7, 0.55])
    room.fill(np.array([(x - 0.09, low), (x + 0.09, low), (x + 0.12, low + 0.2), (x - 0.12, low + 0.2)]), pot)
    green = np.array([0.07, 0.15, 0.05]) * rng.uniform(0.7, 1.4, 3)
    for _ in range(int(rng.integers(16, 40))):
        angle, reach = rng.normal(np.pi / 2, 0.7), rng.uniform(0.05, 0.5)
        centre = x + reach * np.cos(angle), low + 0.2 + reach * np.sin(angle)
        size = rng.uniform(0.04, 0.10)
        leaf = green * rng.uniform(0.4, 1.9)
        room.ellipse(centre, (size, size * rng.uniform(0.25, 0.6)), angle + rng.normal(0, 0.5), leaf)


def paint_skirting(room: Panorama, rng: Rng) -> None:
    """Paint the floor and the skirting board along it."""
    floor = _wood(rng) * 0.8
    room.rectangle(-9.0, -2.0, 9.0, 0.02, floor)
    room.rectangle(-9.0, 0.0, 9.0, rng.uniform(0.06, 0.12), np.full(3, rng.uniform(0.2, 0.6)))
