"""Spurious cues: draw which ones a recording has, given its occasion and its class, and apply them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.imaging.texture import Image
from rfmeta_dist.synth.optics.camera import Settings

SOFT = 0.005  # standard deviation of the defocus that `soft` adds, as a share of the crop's side
COARSE = 45  # by how much `blocks` lowers the JPEG quality


class Bands(NamedTuple):
    """Horizontal bands in a frame, as lamps that flicker with the mains leave them in a rolling shutter.

    Attributes:
        number: number of bands over the height of a frame.
        drift: by which fraction of the frame's height the bands move from one frame to the next.
        depth: 0 for no effect to 1; the radiance is multiplied by 1 − depth to 1 + depth.
    """

    number: float
    drift: float
    depth: float


class Take(NamedTuple):
    """The settings of one generated recording that spurious cues can change.

    Attributes:
        card: description of the recording's domain; its sessions decide place, light and backdrop.
        settings: settings of the camera.
        quality: JPEG quality of the stored crops, 1 to 100.
        bands: the dark and bright bands that flickering lamps leave in the frames; None for no bands.
    """

    card: Domain
    settings: Settings
    quality: float
    bands: Bands | None


def nuisances(video: Video) -> list[str]:
    """Return the kinds of spurious cues that a recording has, in the order of its card.

    For each cue of the card, one random number in [0, 1) is made for the occasion; the live recording and the
    attacks of an occasion share it. The recording has the cue if the number is below the probability of the
    cue, which depends on the recording's class and on rho (`Nuisance.chance`).
    """
    rng, live = video.shared("nuisances"), video.attack_type == LIVE
    # Each cue has a draw of its own that does not depend on rho. So another rho changes which recordings have
    # a cue, but nothing else of the data.
    drawn = [(cue, rng.random()) for cue in video.card.nuisances]
    return [cue.kind for cue, luck in drawn if luck < cue.chance(live, video.rho)]


def disturb(take: Take, video: Video) -> Take:
    """Return the settings of a recording after its spurious cues have changed them.

    Args:
        take: the settings that the recording would have without spurious cues; they are not changed.
        video: the recording.
    """
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
    """Return the radiance of a frame, H×W×3, with the flicker bands of its recording."""
    rows = np.linspace(0.0, 1.0, radiance.shape[0], dtype=np.float32) + frame * bands.drift
    lit: Image = radiance * (1.0 + bands.depth * np.sin(2 * np.pi * bands.number * rows))[:, None, None]
    return lit.astype(np.float32)
