"""Make domains that differ in one part of their physics: how fine patterns are, or how cameras sample them.

All else in a changed card stays the same. So the same seed gives the same people, rooms, light and moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.domains.drawn import drawn
from rfmeta_dist.synth.instruments.prints import MM_PER_INCH, Paper
from rfmeta_dist.synth.instruments.screens import Screen
from rfmeta_dist.synth.optics.camera import Camera
from rfmeta_dist.synth.optics.framing import FACE_WIDTH

RESOLVED, UNRESOLVED = 2.0, 0.7  # sensor pixels per period: at least this if resolved, at most that if not
SPARE = 1.1  # safety factor, so that a carrier that is tilted or nearer does not cross the bound
LINES = 1.15  # highest over lowest number of lines per inch of a changed paper
FEW, MANY = (56.0, 112.0), (240.0, 480.0)  # sensor pixels across the face where the camera is nearest
# Half of the pixels of a diamond panel have no red, the others no blue, so red and blue repeat diagonally.
COARSEST: Mapping[str, float] = {"stripe": 1.0, "diamond": math.sqrt(2.0)}


def base_cards(count: int, seed: int) -> dict[str, Domain]:
    """Draw domains with one camera each, so that a domain has either few or many pixels.

    Args:
        count: how many; see `drawn` for its range and the error.
        seed: seed of the draw.
    """
    return {name: replace(card, cameras=card.cameras[:1]) for name, card in drawn(count, seed).items()}


def periods(card: Domain, instrument: Paper | Screen) -> tuple[float, float]:
    """Return the shortest and the longest period of an instrument's pattern, in sensor pixels.

    The range is over the card's cameras, their distances and the sizes of the shown face, for a carrier that
    faces the camera. The longest period is that of the pattern's coarsest wave.
    """
    low, high = _units(card, instrument)
    if isinstance(instrument, Paper):
        return low / instrument.lpi[1], high / instrument.lpi[0]
    return low / instrument.ppi, high / instrument.ppi * COARSEST[instrument.subpixels]


def resolved(card: Domain) -> Domain:
    """Make dots and pixels so coarse that all of the card's cameras resolve them."""
    return _changed(card, lambda low, _: low / (RESOLVED * SPARE))


def unresolved(card: Domain) -> Domain:
    """Make dots and pixels so fine that none of the card's cameras resolves them."""
    return _changed(card, lambda _, high: LINES * high * SPARE / UNRESOLVED)


def few_pixels(card: Domain) -> Domain:
    """Give the card cameras that see a face with few pixels, from the same distance through the same lens."""
    return _seen(card, FEW)


def many_pixels(card: Domain) -> Domain:
    """Give the card cameras that see a face with many pixels, from the same distance through the same lens."""
    return _seen(card, MANY)


def across_face(camera: Camera) -> float:
    """Return the sensor pixels across a face where the camera is nearest."""
    return FACE_WIDTH * camera.density(camera.distance[0])


def _units(card: Domain, instrument: Paper | Screen) -> tuple[float, float]:
    """Return the shortest and the longest period of one element per inch, in sensor pixels."""
    densities = [camera.density(distance) for camera in card.cameras for distance in camera.distance]
    inch = MM_PER_INCH * FACE_WIDTH
    return inch / instrument.face[1] * min(densities), inch / instrument.face[0] * max(densities)


def _changed(card: Domain, highest: Callable[[float, float], float]) -> Domain:
    """Set lines and pixels per inch, computed from the extreme periods of one element per inch."""

    def paper(given: Paper) -> Paper:
        lines = highest(*_units(card, given))
        return replace(given, lpi=(lines / LINES, lines))

    def screen(given: Screen) -> Screen:
        low, high = _units(card, given)
        return replace(given, ppi=highest(low, high * COARSEST[given.subpixels]))

    return replace(card, papers=tuple(map(paper, card.papers)), screens=tuple(map(screen, card.screens)))


def _seen(card: Domain, wanted: tuple[float, float]) -> Domain:
    def camera(given: Camera) -> Camera:
        low, high = wanted
        share = generator("transfer", "pixels", card.name, given.name).random()
        return replace(given, pitch=given.pitch * across_face(given) / (low * (high / low) ** share))

    return replace(card, cameras=tuple(map(camera, card.cameras)))
