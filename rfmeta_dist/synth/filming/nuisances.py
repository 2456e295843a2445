"""Spurious cues: which a recording has, by the luck of its occasion and its class, and what they do to it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.imaging.texture import Image
from rfmeta_dist.synth.optics.camera import Settings

SOFT = 0.005  # of the crop, by which a lens is out of focus
COARSE = 45  # JPEG quality that blocks take off


class Bands(NamedTuple):
    """Mains flicker in a rolling shutter: bands across the picture, their drift a frame, and their depth."""

    number: float
    drift: float
    depth: float


class Take(NamedTuple):
    """What a recording is made with: sessions of `card`, camera settings, JPEG quality of the crop, flicker."""

    card: Domain
    settings: Settings
    quality: float
    bands: Bands | None


def nuisances(video: Video) -> list[str]:
    """The kinds of spurious cues this recording has, by the luck of its occasion and its class."""
    rng, live = video.shared("nuisances"), video.attack_type == LIVE
    # Each cue has its own draw, the same for every rho: a stronger rho moves some recordings, no other luck.
    drawn = [(cue, rng.random()) for cue in video.card.nuisances]
    return [cue.kind for cue, luck in drawn if luck < cue.chance(live, video.rho)]


def disturb(take: Take, video: Video) -> Take:
    """How a recording is made with the spurious cues that it has, from how it were made without."""
    rng, settings = video.shared("disturbance"), take.settings
    for kind in nuisances(video):
        match kind:
            case "warm":
                settings = replace(settings, balance=settings.balance + 0.65)
            case "dim":
                settings = replace(settings, exposure=settings.exposure - 1.15)
            case "vignette":
                settings = replace(settings, vignette=settings.vignette + 0.75)
            case "soft":
                settings = replace(settings, defocus=settings.defocus + SOFT * settings.sensor)
            case "banding":
                take = take._replace(bands=Bands(rng.uniform(3, 7), rng.uniform(-0.4, 0.4), 0.32))
            case "blocks":
                take = take._replace(quality=take.quality - COARSE)
            case "backdrop":
                venues = tuple(replace(venue, backdrops=("curtain",)) for venue in take.card.sessions)
                take = take._replace(card=replace(take.card, sessions=venues))
    return take._replace(settings=settings)


def flicker(radiance: Image, bands: Bands, frame: int) -> Image:
    """The radiance of a frame, H×W×3, with the bands of its recording across it."""
    rows = np.linspace(0.0, 1.0, radiance.shape[0], dtype=np.float32) + frame * bands.drift
    lit: Image = radiance * (1.0 + bands.depth * np.sin(2 * np.pi * bands.number * rows))[:, None, None]
    return lit.astype(np.float32)
