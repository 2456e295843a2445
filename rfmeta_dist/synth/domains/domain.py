"""Define what a generated domain is: how one data set was recorded, and which spurious cues it has."""

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

BUNDLED = ("O", "C", "I", "M")  # the domains whose cards are part of the package, in order
Backdrop = Literal["wall", "curtain", "office", "window", "outdoor"]
Attack = Literal["print", "warped", "cut", "replay"]
PRINTED = {"print", "warped", "cut"}  # the other attacks are shown on screens
NuisanceKind = Literal["warm", "dim", "vignette", "banding", "soft", "blocks", "backdrop"]
LayoutName = Literal["oulu_npu", "casia_fasd", "replay_attack", "msu_mfsd", "folder"]


@dataclass(frozen=True)
class Venue:
    """The place of recording sessions.

    Attributes:
        name: for people to read.
        lights, backdrops: for each occasion one of each is chosen at random, all with the same chance.
    """

    name: str
    lights: tuple[Light, ...]
    backdrops: tuple[Backdrop, ...]

    def __post_init__(self) -> None:
        _require_some(self, "lights", "backdrops")


@dataclass(frozen=True)
class Nuisance:
    """A spurious cue: it has nothing to do with liveness, but it follows the label within one domain.

    A recording has the cue with probability (1 + rho)/2 if its class is the one that `sign` names, and with
    (1 − rho)/2 otherwise. At rho = 0 the cue is independent of the label; at rho = 1 the label decides it.

    Attributes:
        kind: what happens to a recording: warmer white balance, darker, vignetted, bands across it, softer, a
            coarser JPEG, or a curtain behind the person.
        sign: 1 if the cue goes with live faces, −1 if it goes with attacks.
    """

    kind: NuisanceKind
    sign: Literal[1, -1]

    def chance(self, live: bool, rho: float) -> float:
        """Return the probability that a recording has the cue, for rho in [0, 1]."""
        return (1.0 + rho * self.sign * (1 if live else -1)) / 2.0


@dataclass(frozen=True)
class Domain:
    """How one data set was recorded. Each file in shards/generated describes one domain.

    Where a field is a tuple of choices, one of them is chosen at random, all with the same chance.

    Attributes:
        name: up to 40 letters, digits and `_`.
        title: one line for people to read.
        layout: the data set whose recordings it imitates.
        subjects: number of people in each split, as many as that data set has.
        cameras: one is chosen for each occasion, which is a live recording and its attacks.
        sessions: one is chosen for each occasion; the attacker's earlier recording is of the same session.
        attacks: the attack recordings for each live one; a type may occur several times.
        papers, screens: the attack instruments.
        nuisances: spurious cues. In the bundled cards, each kind has the opposite sign in some other domain.
        quality: range of the JPEG quality of the stored crops.
    """

    # For pydantic, which reads the cards: refuse unknown fields and infinite numbers, here and in all parts.
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


# The camera with which attackers photograph their victims: a compact camera or a good phone that corrects
# exposure alone. If two automatic cameras followed each other, contrast and colour would reveal attacks; this
# way only the last camera corrects them, as for a live face. The number of pixels across the face comes from
# the instrument's `source`.
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
