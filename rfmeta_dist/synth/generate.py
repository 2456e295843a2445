"""From a plan to samples: which videos a domain has, and how each is filmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE, Sample, Split
from rfmeta_dist.synth.camera import Pixels, Settings, capture, encode_jpeg, resolution, set_up
from rfmeta_dist.synth.domains import SOURCE, Domain, find_domain
from rfmeta_dist.synth.head import EXTENT
from rfmeta_dist.synth.identities import Identity, cast
from rfmeta_dist.synth.plane import draw_carrier, look_at
from rfmeta_dist.synth.pose import Framing, Pose, draw_framing, draw_pose, move, project, shake
from rfmeta_dist.synth.prints import show_print
from rfmeta_dist.synth.scale import Scale
from rfmeta_dist.synth.scene import DEPTH_SIZE, Lamp, depth_map, draw_lamp, paint_backdrop, shade
from rfmeta_dist.synth.screens import show_screen
from rfmeta_dist.synth.texture import Image, Rng

PRINT, REPLAY = "print", "replay"
CLASSES = (LIVE, PRINT, REPLAY)
T = TypeVar("T")
Step = tuple[Image, NDArray[np.uint8]]  # radiance and depth label of a frame


@dataclass(frozen=True)
class Video:
    """One recording to render: all that decides its bytes."""

    domain: str
    split: Split
    subject: str
    attack_type: str
    name: str
    frames: int
    size: int
    seed: int
    identity: Identity

    def random(self, *purpose: int | str) -> Rng:
        """This recording's randomness for one purpose."""
        return generator("video", self.seed, self.domain, self.name, *purpose)


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
    settings = _nuisance(domain, video, set_up(_pick(domain.cameras, rng), video.size, rng), rng)
    framing, quality = draw_framing(rng), float(rng.uniform(*domain.quality))
    film = _film_live if video.attack_type == LIVE else _film_attack
    samples = []
    for frame, (radiance, depth) in enumerate(film(video, domain, settings, framing)):
        picture = capture(radiance, settings, video.size, video.random("sensor", frame))
        samples.append(_sample(video, frame, picture, quality, depth))
    return samples


@dataclass(frozen=True)
class _Session:
    """A person before a camera on one occasion."""

    video: Video
    pose: Pose
    lamp: Lamp
    backdrop: Image
    occasion: str

    def look(self, frame: int, framing: Framing, pixels: int) -> Step:
        """Radiance P×P×3 and depth label of one frame."""
        # Painted a little coarser than the scene is sampled: the lens blurs more than that.
        bust = self.video.identity.bust(max(256, self.video.size * 7 // 2))
        pose = move(self.pose, self.video.random(self.occasion, "move", frame))
        view = project(bust, pose, framing, pixels)
        return shade(view, self.lamp, self.backdrop), depth_map(view)


def _open_session(video: Video, domain: Domain, occasion: str, pixels: int) -> _Session:
    rng = video.random(occasion)
    pose, lamp = draw_pose(rng), draw_lamp(_pick(domain.lights, rng), rng)
    return _Session(video, pose, lamp, paint_backdrop(_pick(domain.backdrops, rng), pixels, rng), occasion)


def _film_live(video: Video, domain: Domain, settings: Settings, framing: Framing) -> Iterator[Step]:
    pixels = resolution(settings)
    session = _open_session(video, domain, "live", pixels)
    for frame in range(video.frames):
        yield session.look(frame, shake(framing, video.random("shake", frame)), pixels)


def _film_attack(video: Video, domain: Domain, settings: Settings, framing: Framing) -> Iterator[Step]:
    """The victim is filmed on an earlier occasion; a carrier shows that to the camera of this one."""
    rng, pixels = video.random("attack"), resolution(settings)
    source = set_up(SOURCE, video.size, video.random("source"))
    source = replace(source, sensor=round(settings.sensor * 1.25) // 2 * 2)
    earlier = _open_session(video, domain, "earlier", resolution(source))
    here = _open_session(video, domain, "here", pixels)
    backdrop = here.backdrop * here.lamp.backdrop * here.lamp.colour

    @lru_cache(maxsize=1)
    def shown(frame: int) -> Image:
        radiance, _ = earlier.look(frame, Framing(0.0, 0.0, EXTENT, 0.0), resolution(source))
        picture = capture(radiance, source, source.sensor, video.random("source", frame))
        return (picture / np.float32(255)).astype(np.float32)

    paper, screen = _pick(domain.papers, rng), _pick(domain.screens, rng)
    is_print = video.attack_type == PRINT
    carrier = draw_carrier(framing, float(rng.uniform(0.0, 0.12)), paper.bend if is_print else 0.0, rng)
    room = paint_backdrop("window", pixels, video.random("room")) if not is_print else backdrop
    for frame in range(video.frames):
        surface = look_at(carrier, shake(framing, video.random("shake", frame)), pixels)
        same = video.random("carrier")  # the sheet or panel does not change between frames
        if is_print:
            lit = show_print(shown(0), paper, surface, carrier, backdrop, same) * here.lamp.colour
        else:
            lit = show_screen(shown(frame), screen, surface, carrier, (backdrop, room), same)
        yield lit.astype(np.float32), np.zeros((DEPTH_SIZE, DEPTH_SIZE), np.uint8)


def _nuisance(domain: Domain, video: Video, settings: Settings, rng: Rng) -> Settings:
    """Apply the domain's spurious cue to this recording, or not."""
    cue = domain.nuisance
    if rng.random() >= (cue.live if video.attack_type == LIVE else cue.attack):
        return settings
    match cue.kind:
        case "warm":
            return replace(settings, balance=settings.balance + 0.35)
        case "dim":
            return replace(settings, exposure=settings.exposure - 0.5)
        case "vignette":
            return replace(settings, vignette=settings.vignette + 0.4)
        case "soft":
            return replace(settings, defocus=settings.defocus + 0.35)


def _sample(
    video: Video, frame: int, picture: Pixels, quality: float, depth: NDArray[np.uint8]
) -> Sample:
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


def _pick(choices: tuple[T, ...], rng: Rng) -> T:
    return choices[int(rng.integers(len(choices)))]
