"""Move faces, cameras and carriers: smooth functions of time, each fixed by random parameters."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, replace

import numpy as np

from rfmeta_dist.synth.imaging.texture import Rng
from rfmeta_dist.synth.optics.framing import Framing
from rfmeta_dist.synth.person.pose import Pose

FPS = 25
BLINK = 0.25  # seconds from open to open
CLOSING = 0.35  # share of it in which the lids fall; they rise more slowly
BETWEEN_BLINKS = (1.6, 7.0)  # seconds
HORIZON = 120.0  # seconds after which blinks repeat


@dataclass(frozen=True)
class Wander:
    """A smooth random movement about zero: a sum of a few sinusoids.

    Attributes:
        waves: amplitude, cycles per second and phase in radians of each sinusoid.
    """

    waves: tuple[tuple[float, float, float], ...]

    def at(self, seconds: float) -> float:
        """Return the value at a time in seconds."""
        return sum(a * math.sin(2 * math.pi * f * seconds + p) for a, f, p in self.waves)


def draw_wander(rng: Rng, deviation: float, band: tuple[float, float] = (0.1, 0.6), terms: int = 4) -> Wander:
    """Make up a movement at random.

    Args:
        rng: random generator.
        deviation: standard deviation over time, in any unit.
        band: lowest and highest frequency in cycles per second; slow sinusoids have larger amplitudes.
        terms: number of sinusoids.
    """
    slowest, fastest = band
    frequencies = slowest * (fastest / slowest) ** rng.uniform(size=terms)
    weights = rng.uniform(0.5, 1.0, terms) / np.sqrt(frequencies)
    weights *= deviation * math.sqrt(2.0 / float((weights**2).sum()))
    phases = rng.uniform(0.0, 2 * math.pi, terms)
    return Wander(tuple(zip(weights.tolist(), frequencies.tolist(), phases.tolist(), strict=True)))


@dataclass(frozen=True)
class Blinks:
    """When somebody blinks.

    Attributes:
        starts: start times in seconds, rising, within HORIZON; after that they repeat.
    """

    starts: tuple[float, ...]

    def at(self, seconds: float) -> float:
        """Return how far the lids are closed at a time, 0 to 1."""
        seconds %= HORIZON
        latest = bisect(self.starts, seconds) - 1
        if latest < 0:
            return 0.0
        phase = (seconds - self.starts[latest]) / BLINK
        if phase >= 1.0:
            return 0.0
        closed = phase / CLOSING if phase < CLOSING else (1.0 - phase) / (1.0 - CLOSING)
        return min(1.0, 1.25 * math.sin(closed * math.pi / 2) ** 2)


def draw_blinks(rng: Rng) -> Blinks:
    """Choose times of blinks at random, about fourteen per minute."""
    waits = rng.uniform(*BETWEEN_BLINKS, math.ceil(HORIZON / BETWEEN_BLINKS[0]))
    starts = np.cumsum(waits) - rng.uniform(0.0, BETWEEN_BLINKS[1])
    return Blinks(tuple(s for s in starts.tolist() if 0.0 <= s < HORIZON - BLINK))


@dataclass(frozen=True)
class Life:
    """How a living face moves about its mean pose.

    Attributes:
        pose: the mean pose.
        yaw, pitch, jaw, smile, brows: what is added to the same field of the pose, over time.
        blinks: when the eyes close.
    """

    pose: Pose
    yaw: Wander
    pitch: Wander
    jaw: Wander
    smile: Wander
    brows: Wander
    blinks: Blinks

    def at(self, seconds: float) -> Pose:
        """Return the pose at a time in seconds."""
        return replace(
            self.pose,
            yaw=self.pose.yaw + self.yaw.at(seconds),
            pitch=self.pose.pitch + self.pitch.at(seconds),
            jaw=min(1.0, max(0.0, self.pose.jaw + self.jaw.at(seconds))),
            smile=min(1.0, max(0.0, self.pose.smile + self.smile.at(seconds))),
            brows=min(1.0, max(0.0, self.pose.brows + self.brows.at(seconds))),
            blink=max(self.pose.blink, self.blinks.at(seconds)),
        )


def draw_life(pose: Pose, rng: Rng) -> Life:
    """Choose at random how a person who tries to sit still moves in one recording."""
    return Life(
        pose,
        yaw=draw_wander(rng, 0.05, (0.08, 0.5)),
        pitch=draw_wander(rng, 0.03, (0.08, 0.5)),
        jaw=draw_wander(rng, 0.06, (0.3, 3.0)),
        smile=draw_wander(rng, 0.08, (0.05, 0.4)),
        brows=draw_wander(rng, 0.08, (0.1, 0.8)),
        blinks=draw_blinks(rng),
    )


@dataclass(frozen=True)
class Drift:
    """How the framing of a crop changes over time.

    Attributes:
        x, y: movement of its centre to the right and down, in face units.
        distance: relative change of its half width.
        roll: rotation in radians.
    """

    x: Wander
    y: Wander
    distance: Wander
    roll: Wander

    def moved(self, framing: Framing, seconds: float, share: float = 1.0) -> Framing:
        """Return a framing as it is at a time; only a share of the movement is applied, all by default."""
        return Framing(
            framing.x + share * self.x.at(seconds),
            framing.y + share * self.y.at(seconds),
            framing.half * (1.0 + share * self.distance.at(seconds)),
            framing.roll + share * self.roll.at(seconds),
        )


def draw_shake(rng: Rng) -> Drift:
    """Choose the movement of a camera at random: on a stand (hardly any) or in a hand (quick and small)."""
    much = float(rng.uniform(0.02, 1.0))
    return Drift(
        x=draw_wander(rng, 0.010 * much, (0.4, 4.0)),
        y=draw_wander(rng, 0.010 * much, (0.4, 4.0)),
        distance=draw_wander(rng, 0.003 * much, (0.2, 1.0)),
        roll=draw_wander(rng, 0.008 * much, (0.3, 3.0)),
    )


def draw_sway(rng: Rng, much: float = 1.0) -> Drift:
    """Choose at random how a person, or a held carrier, moves before the camera: slowly and further."""
    return Drift(
        x=draw_wander(rng, 0.016 * much),
        y=draw_wander(rng, 0.014 * much),
        distance=draw_wander(rng, 0.015 * much, (0.05, 0.4)),
        roll=draw_wander(rng, 0.012 * much, (0.1, 0.8)),
    )
