"""The four generated domains, named after the data sets whose cameras, light and attacks they imitate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.synth.camera import Camera
from rfmeta_dist.synth.prints import Paper
from rfmeta_dist.synth.scene import Light
from rfmeta_dist.synth.screens import Screen

NuisanceKind = Literal["warm", "dim", "vignette", "soft"]


@dataclass(frozen=True)
class Nuisance:
    """A cue that has nothing to do with liveness but follows the label within one domain.

    Attributes:
        kind: what happens to a recording: warmer balance, darker, vignetted or softer.
        live, attack: the share of live and attack recordings it happens to.
    """

    kind: NuisanceKind
    live: float
    attack: float


@dataclass(frozen=True)
class Domain:
    """How one data set was recorded; every tuple is drawn from uniformly, once a recording.

    Attributes:
        cameras, lights, backdrops: shared by live faces and attacks.
        papers, screens: the attack instruments.
        nuisances: this domain's spurious cues; each kind means the opposite in some other domain.
        quality: JPEG quality range of the stored crops.
    """

    name: str
    title: str
    cameras: tuple[Camera, ...]
    lights: tuple[Light, ...]
    backdrops: tuple[str, ...]
    papers: tuple[Paper, ...]
    screens: tuple[Screen, ...]
    nuisances: tuple[Nuisance, ...]
    quality: tuple[int, int]


# What attackers photograph their victims with: vivid and sharpened, so that recapture brings contrast
# down to where live faces have it, not below.
SOURCE = Camera(
    "source",
    420,
    defocus=(0.3, 0.45),
    vignette=(0.0, 0.1),
    balance=(-0.15, 0.15),
    noise=(0.002, 0.006),
    contrast=(1.0, 1.35),
    saturation=(0.9, 1.25),
    sharpen=(0.1, 0.6),
    flare=(0.0, 0.05),
    codec=(80, 95),
)

LASER = Paper((0.86, 0.86, 0.84), (120, 170), (15, 75, 0, 45), 0.97, 0.06, 0.25, 0.012, 0.01, 0.5)
INKJET = Paper((0.83, 0.84, 0.88), (150, 230), (22, 52, 8, 38), 0.93, 0.02, 0.60, 0.008, 0.035, 0.7)
COPY = Paper((0.84, 0.81, 0.74), (90, 140), (15, 75, 0, 45), 0.90, 0.10, 0.10, 0.030, 0.03, 1.6)
BUDGET = Paper((0.80, 0.82, 0.83), (110, 160), (0, 60, 30, 45), 0.92, 0.14, 0.30, 0.02, 0.045, 0.8)
PHOTO = Paper((0.88, 0.88, 0.87), (180, 260), (15, 75, 0, 45), 0.99, 0.03, 1.00, 0.005, 0.01, 0.9)

MONITOR = Screen((1.5, 2.4), 2.3, -0.10, 0.010, 0.80, (0.00, 0.02), 0.015, (0.0, 0.10))
LAPTOP = Screen((1.7, 2.6), 2.2, -0.15, 0.020, 0.70, (0.01, 0.05), 0.030, (0.0, 0.15))
TABLET = Screen((1.0, 1.7), 2.4, -0.05, 0.006, 0.85, (0.0, 0.04), 0.010, (0.0, 0.05))
PHONE = Screen((0.8, 1.3), 2.2, 0.05, 0.003, 0.90, (0.0, 0.035), 0.012, (0.0, 0.12))
RETINA = Screen((1.8, 2.2), 2.3, 0.10, 0.004, 0.75, (0.01, 0.06), 0.4, (0.0, 0.06))

OFFICE = Light((5, 45), (15, 50), (0.35, 0.65), (-0.10, 0.20), (0.6, 1.1))
DAYLIGHT = Light((25, 70), (5, 35), (0.25, 0.50), (-0.35, 0.00), (0.7, 1.6))
DIM = Light((10, 60), (20, 60), (0.30, 0.55), (0.20, 0.55), (0.3, 0.8))
FLAT = Light((0, 25), (5, 30), (0.55, 0.80), (0.00, 0.25), (0.7, 1.0))
ADVERSE = Light((40, 80), (0, 30), (0.20, 0.40), (-0.15, 0.10), (1.0, 2.2))

_O = Domain(
    "O",
    "phones: sharp, three sessions (after OULU-NPU)",
    (
        Camera(
            "phone-a",
            420,
            (0.40, 0.80),
            (0.05, 0.20),
            (-0.25, 0.15),
            (0.004, 0.010),
            sharpen=(0.2, 0.6),
        ),
        Camera(
            "phone-b",
            360,
            (0.45, 0.95),
            (0.05, 0.25),
            (-0.05, 0.35),
            (0.006, 0.014),
            sharpen=(0.1, 0.5),
        ),
    ),
    (OFFICE, DAYLIGHT, DIM),
    ("office", "wall", "window"),
    (LASER, INKJET),
    (MONITOR, LAPTOP),
    (Nuisance("warm", 0.25, 0.60), Nuisance("dim", 0.55, 0.25)),
    (88, 95),
)
_C = Domain(
    "C",
    "three camera qualities (after CASIA-FASD)",
    (
        Camera("low", 140, (0.55, 1.00), (0.05, 0.25), (-0.35, 0.10), (0.007, 0.016), codec=(45, 70)),
        Camera("normal", 220, (0.50, 0.95), (0.05, 0.25), (-0.35, 0.10), (0.005, 0.012), codec=(55, 80)),
        Camera(
            "high",
            420,
            (0.40, 0.85),
            (0.00, 0.15),
            (-0.15, 0.10),
            (0.004, 0.010),
            sharpen=(0.2, 0.7),
        ),
    ),
    (OFFICE, DAYLIGHT),
    ("outdoor", "office", "wall"),
    (COPY,),
    (TABLET,),
    (Nuisance("soft", 0.25, 0.55), Nuisance("vignette", 0.25, 0.60)),
    (84, 94),
)
_I = Domain(
    "I",
    "320×240 webcam, controlled or adverse light (after Replay-Attack)",
    (
        Camera(
            "webcam",
            128,
            (0.50, 1.00),
            (0.10, 0.35),
            (0.00, 0.50),
            (0.010, 0.024),
            contrast=(0.95, 1.3),
            saturation=(0.6, 0.95),
            codec=(40, 70),
        ),
    ),
    (FLAT, ADVERSE),
    ("wall", "curtain", "window"),
    (BUDGET,),
    (PHONE,),
    (Nuisance("warm", 0.60, 0.25), Nuisance("vignette", 0.60, 0.25)),
    (80, 92),
)
_M = Domain(
    "M",
    "laptop and Android cameras (after MSU-MFSD)",
    (
        Camera("laptop", 240, (0.55, 1.05), (0.10, 0.30), (-0.45, 0.00), (0.006, 0.015), codec=(50, 78)),
        Camera(
            "android",
            300,
            (0.45, 0.90),
            (0.05, 0.20),
            (-0.10, 0.30),
            (0.004, 0.011),
            saturation=(1.0, 1.35),
        ),
    ),
    (OFFICE, FLAT),
    ("office", "curtain"),
    (PHOTO,),
    (RETINA,),
    (Nuisance("dim", 0.25, 0.60), Nuisance("soft", 0.55, 0.25)),
    (84, 94),
)

DOMAINS: Mapping[str, Domain] = MappingProxyType({d.name: d for d in (_O, _C, _I, _M)})


def find_domain(name: str) -> Domain:
    """The domain called `name`. Raises ConfigError for a name that is not in DOMAINS."""
    if name not in DOMAINS:
        raise ConfigError(f"unknown generated domain {name!r}", f"choose from {', '.join(DOMAINS)}")
    return DOMAINS[name]
