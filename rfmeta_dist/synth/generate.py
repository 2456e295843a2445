"""From a plan to samples: which recordings a domain has, and each one's encoded crops and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.types import LIVE, Sample
from rfmeta_dist.synth.camera import Pixels, Settings, capture, encode_jpeg, set_up
from rfmeta_dist.synth.domains import Domain, find_domain
from rfmeta_dist.synth.film import CLASSES, Video, film, pick
from rfmeta_dist.synth.framing import draw_framing
from rfmeta_dist.synth.identities import cast
from rfmeta_dist.synth.scale import Scale
from rfmeta_dist.synth.texture import Rng


def plan(domain: str, scale: Scale, seed: int, identities: Path | None) -> list[Video]:
    """The videos of a domain, subject by subject, each subject in every class.

    Args:
        domain: a name in DOMAINS.
        scale: how much.
        seed: of the whole data set; the same seed for all four domains keeps their people apart.
        identities: folder of portraits, or None for made-up people.

    Raises:
        ConfigError: no such domain.
        DataError: the folder is missing, has no usable portrait, or too few.
    """
    find_domain(domain)
    return [
        Video(
            domain=domain,
            split=split,
            subject=f"{domain}_{number:03d}",
            attack_type=attack_type,
            name=f"{number:03d}_{attack_type}_{take}",
            frames=scale.frames,
            size=scale.size,
            seed=seed,
            identity=identity,
        )
        for number, (split, identity) in enumerate(cast(domain, scale, seed, identities))
        for attack_type in CLASSES
        for take in range(scale.videos)
    ]


def generate(domain: str, scale: Scale, seed: int, identities: Path | None = None) -> Iterator[Sample]:
    """All samples of a domain, video by video; see `plan` for arguments and errors."""
    for video in plan(domain, scale, seed, identities):
        yield from render(video)


def render(video: Video) -> list[Sample]:
    """Film a recording: a pure function of the video, in any process."""
    domain, rng = find_domain(video.domain), video.random("set-up")
    settings = set_up(pick(domain.cameras, rng), video.size, rng)
    settings = _disturb(settings, video, domain, rng)
    framing, quality = draw_framing(rng), rng.uniform(*domain.quality)
    samples = []
    for frame, (radiance, depth) in enumerate(film(video, domain, settings, framing)):
        picture = capture(radiance, settings, video.size, video.random("sensor", frame))
        samples.append(_sample(video, frame, picture, quality, depth))
    return samples


def _disturb(settings: Settings, video: Video, domain: Domain, rng: Rng) -> Settings:
    """Apply the domain's spurious cues to this recording, each or not by the luck of its class."""
    for cue in domain.nuisances:
        if rng.random() >= (cue.live if video.attack_type == LIVE else cue.attack):
            continue
        match cue.kind:
            case "warm":
                settings = replace(settings, balance=settings.balance + 0.40)
            case "dim":
                settings = replace(settings, exposure=settings.exposure - 0.6)
            case "vignette":
                settings = replace(settings, vignette=settings.vignette + 0.4)
            case "soft":
                settings = replace(settings, defocus=settings.defocus + 0.35)
    return settings


def _sample(video: Video, frame: int, picture: Pixels, quality: float, depth: NDArray[np.uint8]) -> Sample:
    return Sample(
        key=f"{video.domain}-{video.name}-{frame:03d}",
        domain=video.domain,
        split=video.split,
        label=int(video.attack_type == LIVE),
        attack_type=video.attack_type,
        subject=video.subject,
        video=video.name,
        frame=frame,
        image=encode_jpeg(picture, quality),
        image_ext="jpg",
        depth=cv2.imencode(".png", depth)[1].tobytes(),
    )
