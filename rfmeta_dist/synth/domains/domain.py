"""What a generated domain is: how one data set was recorded, and its spurious cues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.synth.instruments.prints import Paper
from rfmeta_dist.synth.instruments.screens import Screen
from rfmeta_dist.synth.optics.camera import Camera
from rfmeta_dist.synth.place.scene import Light

BUNDLED = ("O", "C", "I", "M")  # the domains whose cards come along, in order
Backdrop = Literal["wall", "curtain", "office", "window", "outdoor"]
Attack = Literal["print", "warped", "cut", "replay"]
PRINTED = {"print", "warped", "cut"}  # the others are shown on screens
NuisanceKind = Literal["warm", "dim", "vignette", "banding", "soft", "blocks", "backdrop"]
LayoutName = Literal["oulu_npu", "casia_fasd", "replay_attack", "msu_mfsd", "folder"]


@dataclass(frozen=True)
class Venue:
    """Where the recordings of one session are made: its lights and backdrops, each as likely."""

    name: str
    lights: tuple[Light, ...]
    backdrops: tuple[Backdrop, ...]

    def __post_init__(self) -> None:
        _require_some(self, "lights", "backdrops")


@dataclass(frozen=True)
class Nuisance:
    """A cue that has nothing to do with liveness but follows the label within one domain.

    A recording has it with probability (1 ± rho)/2: plus for live faces if `sign` is 1 and for attacks if it
    is −1. So rho = 0 makes it independent of the label, and rho = 1 decides it.

    Attributes:
        kind: what happens to a recording: warmer balance, darker, vignetted, bands across it, softer, a
            coarser JPEG, or a curtain behind the person.
        sign: 1 if it goes with live faces, −1 if with attacks.
    """

    kind: NuisanceKind
    sign: Literal[1, -1]

    def chance(self, live: bool, rho: float) -> float:
        """The probability that a recording has it, for rho in [0, 1]."""
        return (1.0 + rho * self.sign * (1 if live else -1)) / 2.0


@dataclass(frozen=True)
class Domain:
    """How one data set was recorded; a card in shards/generated holds one. Tuples are drawn from uniformly.

    Attributes:
        name: letters, digits and `_`.
        title: a line for people.
        layout: whose recordings it imitates.
        subjects: people of each split, as many as that data set has.
        cameras: one is drawn for each occasion, with its live recording and attacks.
        sessions: one is drawn for each occasion; the attacker's earlier recording is of the same kind.
        attacks: the attack recordings for each live one; a type may come several times.
        papers, screens: the attack instruments.
        nuisances: spurious cues; each kind means the opposite in some other domain.
        quality: JPEG quality range of the stored crops.
    """

    # Of pydantic, which reads the cards: no unknown fields, no infinities, here and in all parts.
    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid", "allow_inf_nan": False}

    name: str
    title: str
    layout: LayoutName
    subjects: Mapping[Split, int]
    cameras: tuple[Camera, ...]
    sessions: tuple[Venue, ...]
    attacks: tuple[Attack, ...]
    quality: tuple[int, int]
    papers: tuple[Paper, ...] = ()
    screens: tuple[Screen, ...] = ()
    nuisances: tuple[Nuisance, ...] = ()

    def __post_init__(self) -> None:
        _require_some(self, "cameras", "sessions", "attacks")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]{0,39}", self.name):
            raise ValueError(
                f"name {self.name!r} is not valid for a domain; use 1 to 40 letters, digits and '_', "
                "the first one not '_'"
            )
        if any(self.subjects.get(split, 0) < 1 for split in SPLITS):
            raise ValueError(
                "subjects leaves a split without people; set each of train, validation and test to 1 or more"
            )
        if PRINTED & set(self.attacks) and not self.papers:
            raise ValueError("attacks asks for printed attacks, but papers is empty; add a paper to papers")
        if set(self.attacks) - PRINTED and not self.screens:
            raise ValueError("attacks asks for replays, but screens is empty; add a screen to screens")
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise ValueError(
                f"quality {list(self.quality)} is not a range of JPEG qualities; "
                "write [lowest, highest], both from 1 to 100"
            )


def _require_some(part: Venue | Domain, *names: str) -> None:
    for name in names:
        if not getattr(part, name):
            raise ValueError(f"{name} is empty; add at least one entry to this list")


# What attackers photograph their victims with: a careful picture that corrects nothing but exposure. Two
# automatic cameras in a row would show in contrast and colour; the last one's alone are those of a live face.
# A compact camera or a good phone; how many pixels are on the face, the instrument's `source` says.
SOURCE = Camera(
    "source",
    focal=4.2,
    pitch=2.0,
    distance=(600, 1200),
    defocus=(0.3, 0.45),
    vignette=(0.0, 0.1),
    balance=(-0.2, 0.2),
    noise=(0.002, 0.006),
    contrast=(1.0, 1.3),
    saturation=(0.76, 0.98),
    sharpen=(0.0, 0.2),
    flare=(0.0, 0.02),
    codec=(80, 95),
    automatic=0.0,
)
