"""Filming one recording: a live person, or a carrier that shows an earlier recording of that person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.synth.camera import Settings, capture, resolution, set_up
from rfmeta_dist.synth.domains import SOURCE, Domain
from rfmeta_dist.synth.framing import Framing, square
from rfmeta_dist.synth.head import EXTENT
from rfmeta_dist.synth.identities import Identity
from rfmeta_dist.synth.plane import Surface, draw_carrier, look_at
from rfmeta_dist.synth.pose import Pose, draw_pose, move, project, shake
from rfmeta_dist.synth.prints import separate, show_print
from rfmeta_dist.synth.scene import DEPTH_SIZE, Lamp, depth_map, draw_lamp, paint_backdrop, shade
from rfmeta_dist.synth.screens import show_screen
from rfmeta_dist.synth.texture import Image, Rng

PRINT, REPLAY = "print", "replay"
CLASSES = (LIVE, PRINT, REPLAY)
Shot = tuple[Image, NDArray[np.uint8]]  # a frame's radiance and depth label
T = TypeVar("T")


@dataclass(frozen=True)
class Video:
    """One recording to render: all that decides its bytes.

    Attributes:
        card: its domain.
        rho: how strongly the domain's nuisances follow the label, 0 to 1.
    """

    card: Domain
    rho: float
    split: Split
    subject: str
    attack_type: str
    name: str
    frames: int
    size: int
    seed: int
    identity: Identity

    @property
    def domain(self) -> str:
        """The domain's name."""
        return self.card.name

    def random(self, *purpose: int | str) -> Rng:
        """This recording's randomness for one purpose."""
        return generator("video", self.seed, self.domain, self.name, *purpose)


@dataclass(frozen=True)
class Session:
    """A person before a camera on one occasion."""

    video: Video
    occasion: str
    pose: Pose
    lamp: Lamp
    backdrop: Image

    def shoot(self, frame: int, framing: Framing) -> Shot:
        """Radiance, as large as the backdrop, and depth label of one frame."""
        # Painted a little coarser than the scene is sampled: the lens blurs more than that.
        bust = self.video.identity.bust(max(256, self.video.size * 7 // 2))
        pose = move(self.pose, self.video.random(self.occasion, "move", frame))
        view = project(bust, pose, framing, square(self.backdrop.shape[0]))
        return shade(view, self.lamp, self.backdrop), depth_map(view)


def film(video: Video, domain: Domain, settings: Settings, framing: Framing) -> Iterator[Shot]:
    """The frames of a recording as they reach the lens, `resolution(settings)` squared."""
    live = video.attack_type == LIVE
    shots = _film_live if live else _film_print if video.attack_type == PRINT else _film_replay
    framings = [shake(framing, video.random("shake", frame)) for frame in range(video.frames)]
    return shots(video, domain, settings, framings)


def pick(choices: tuple[T, ...], rng: Rng) -> T:
    """One of the choices, each as likely."""
    return choices[int(rng.integers(len(choices)))]


def _open(video: Video, domain: Domain, occasion: str, pixels: int) -> Session:
    rng = video.random(occasion)
    venue = pick(domain.sessions, rng)
    pose, lamp = draw_pose(rng), draw_lamp(pick(venue.lights, rng), rng)
    return Session(video, occasion, pose, lamp, paint_backdrop(pick(venue.backdrops, rng), pixels, rng))


def _film_live(video: Video, domain: Domain, settings: Settings, framings: list[Framing]) -> Iterator[Shot]:
    session = _open(video, domain, "here", resolution(settings))
    for frame, framing in enumerate(framings):
        yield session.shoot(frame, framing)


def _film_print(video: Video, domain: Domain, settings: Settings, framings: list[Framing]) -> Iterator[Shot]:
    rng, pixels = video.random("attack"), resolution(settings)
    here, paper = _open(video, domain, "here", pixels), pick(domain.papers, rng)
    plate = separate(next(_stolen(video, domain, settings)), paper)
    carrier = draw_carrier(framings[0], rng.uniform(0.0, 0.12), paper.bend, rng)
    for framing in framings:
        surface = look_at(carrier, framing, pixels)
        lit = show_print(plate, paper, surface, carrier, _behind(here), video.random("carrier"))
        yield _planar(lit * here.lamp.colour)


def _film_replay(video: Video, domain: Domain, settings: Settings, framings: list[Framing]) -> Iterator[Shot]:
    rng, pixels = video.random("attack"), resolution(settings)
    here, screen = _open(video, domain, "here", pixels), pick(domain.screens, rng)
    rooms = _behind(here), paint_backdrop("window", pixels, rng)
    carrier = draw_carrier(framings[0], rng.uniform(0.0, 0.12), 0.0, rng)
    for picture, framing in zip(_stolen(video, domain, settings), framings, strict=True):
        surface: Surface = look_at(carrier, framing, pixels)
        yield _planar(show_screen(picture, screen, surface, carrier, rooms, video.random("carrier")))


def _stolen(video: Video, domain: Domain, settings: Settings) -> Iterator[Image]:
    """The attacker's own recording of the victim over the whole face canvas, display values [0, 1]."""
    source = set_up(SOURCE, video.size, video.random("source"))
    # As sharp on the carrier as the camera can tell, and no more: the crop is about 0.6 of the canvas.
    source = replace(source, sensor=settings.sensor * 5 // 8 * 2)
    earlier = _open(video, domain, "earlier", source.sensor)
    for frame in range(video.frames):
        radiance, _ = earlier.shoot(frame, Framing(0.0, 0.0, EXTENT, 0.0))
        picture = capture(radiance, source, source.sensor, video.random("source", frame))
        yield picture.astype(np.float32) / np.float32(255)


def _behind(here: Session) -> Image:
    """The room behind a carrier, lit."""
    return here.backdrop * here.lamp.backdrop * here.lamp.colour


def _planar(radiance: Image) -> Shot:
    """A flat carrier has no depth."""
    return radiance.astype(np.float32), np.zeros((DEPTH_SIZE, DEPTH_SIZE), np.uint8)
