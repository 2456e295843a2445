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
    """A smooth course about zero: a few sinusoids, given as (amplitude, cycles per second, phase)."""

    waves: tuple[tuple[float, float, float], ...]

    def at(self, seconds: float) -> float:
        """Return the value at a time in seconds."""
        return sum(a * math.sin(2 * math.pi * f * seconds + p) for a, f, p in self.waves)


def draw_wander(rng: Rng, deviation: float, band: tuple[float, float] = (0.1, 0.6), terms: int = 4) -> Wander:
    """Draw a course of this standard deviation, with frequencies in `band`; slow ones reach furthest."""
    slowest, fastest = band
    frequencies = slowest * (fastest / slowest) ** rng.uniform(size=terms)
    weights = rng.uniform(0.5, 1.0, terms) / np.sqrt(frequencies)
    weights *= deviation * math.sqrt(2.0 / float((weights**2).sum()))
    phases = rng.uniform(0.0, 2 * math.pi, terms)
    return Wander(tuple(zip(weights.tolist(), frequencies.tolist(), phases.tolist(), strict=True)))


@dataclass(frozen=True)
class Blinks:
    """When somebody blinks: start times in seconds within HORIZON."""

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
    """Draw about fourteen blinks per minute."""
    waits = rng.uniform(*BETWEEN_BLINKS, math.ceil(HORIZON / BETWEEN_BLINKS[0]))
    starts = np.cumsum(waits) - rng.uniform(0.0, BETWEEN_BLINKS[1])
    return Blinks(tuple(s for s in starts.tolist() if 0.0 <= s < HORIZON - BLINK))


@dataclass(frozen=True)
class Life:
    """How a living face moves about its mean pose."""

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
    """Draw the movements of one recording of a person who tries to sit still."""
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
    """How the framing changes: across and down in face units, relative distance, and roll in radians."""

    x: Wander
    y: Wander
    distance: Wander
    roll: Wander

    def moved(self, framing: Framing, seconds: float, share: float = 1.0) -> Framing:
        """Return a framing as it is at a time, or moved by a share of that."""
        return Framing(
            framing.x + share * self.x.at(seconds),
            framing.y + share * self.y.at(seconds),
            framing.half * (1.0 + share * self.distance.at(seconds)),
            framing.roll + share * self.roll.at(seconds),
        )


def draw_shake(rng: Rng) -> Drift:
    """Draw the movement of a camera on a stand (hardly any) or in a hand (quick and small)."""
    much = float(rng.uniform(0.02, 1.0))
    return Drift(
        x=draw_wander(rng, 0.010 * much, (0.4, 4.0)),
        y=draw_wander(rng, 0.010 * much, (0.4, 4.0)),
        distance=draw_wander(rng, 0.003 * much, (0.2, 1.0)),
        roll=draw_wander(rng, 0.008 * much, (0.3, 3.0)),
    )


def draw_sway(rng: Rng, much: float = 1.0) -> Drift:
    """Draw the movement of a person, or of a held carrier, before the camera: slow and wider."""
    return Drift(
        x=draw_wander(rng, 0.016 * much),
        y=draw_wander(rng, 0.014 * much),
        distance=draw_wander(rng, 0.015 * much, (0.05, 0.4)),
        roll=draw_wander(rng, 0.012 * much, (0.1, 0.8)),
    )
