"""Define hair styles: what colour a person's hair has, where it grows and how it falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.head.head import Traits
from rfmeta_dist.synth.imaging.texture import Image, Rng, step

Vectors = NDArray[np.float64]
HAIRLINE = (  # |x| and y, from the middle of the forehead to before the ear
    (0.0, 0.10, 0.18, 0.25, 0.31, 0.36, 0.40, 0.43, 0.455, 0.50),
    (-0.570, -0.568, -0.555, -0.525, -0.470, -0.385, -0.270, -0.130, 0.0, 0.06),
)
BLACK, DARK, BROWN, LIGHT, BLOND, RED, GREY, WHITE = (
    (0.010, 0.008, 0.007),
    (0.022, 0.014, 0.010),
    (0.052, 0.028, 0.015),
    (0.115, 0.065, 0.034),
    (0.30, 0.19, 0.095),
    (0.155, 0.050, 0.018),
    (0.17, 0.165, 0.16),
    (0.46, 0.45, 0.43),
)


@dataclass(frozen=True)
class Style:
    """How hair grows and falls.

    Attributes:
        comb: the direction in which it is led: a name of `_led`.
        length, volume: in face units; volume is how far it stands off the scalp.
        gravity, stiffness: pull downwards and along the comb, against its own direction.
        curl: amplitude and turns of waves.
        clump: 0 for loose hair, to 1 for locks.
        width: width of a strand in pixels of a canvas of 900.
        strands: number of strands.
    """

    comb: str
    length: float
    volume: float
    gravity: float
    stiffness: float
    curl: tuple[float, float] = (0.0, 0.0)
    clump: float = 0.5
    width: float = 1.0
    strands: int = 7000


STYLES = {
    "buzz": Style("radial", 0.022, 0.02, 0.0, 0.3, clump=0.0, strands=11000),
    "crew": Style("crew", 0.10, 0.05, 0.0, 0.8, clump=0.35, strands=8000),
    "swept": Style("swept", 0.27, 0.08, 0.15, 0.9, (0.006, 1.0), 0.6),
    "back": Style("back", 0.45, 0.06, 0.05, 1.3, (0.004, 1.0), 0.6),
    "parted": Style("parted", 0.34, 0.065, 0.5, 0.9, (0.006, 1.0), 0.6),
    "fringe": Style("forward", 0.34, 0.06, 0.9, 0.6, (0.006, 1.2), 0.65),
    "messy": Style("messy", 0.20, 0.10, 0.15, 0.7, (0.016, 1.6), 0.75),
    "curly": Style("radial", 0.26, 0.12, 0.5, 0.4, (0.026, 3.5), 0.75, strands=6000),
    "afro": Style("radial", 0.22, 0.20, 0.0, 0.5, (0.020, 4.0), 0.35, strands=7000),
    "bob": Style("parted", 0.78, 0.075, 1.1, 0.7, (0.006, 1.2), 0.6),
    "straight": Style("parted", 1.55, 0.06, 1.4, 0.6, (0.005, 1.5), 0.6, strands=8000),
    "wavy": Style("parted", 1.35, 0.085, 1.3, 0.6, (0.032, 3.0), 0.7, strands=8000),
    "ringlets": Style("parted", 1.10, 0.12, 1.2, 0.45, (0.036, 6.0), 0.8, strands=5500),
    "fringed": Style("fringed", 1.25, 0.06, 1.4, 0.6, (0.005, 1.5), 0.6, strands=8500),
    "bun": Style("bun", 0.60, 0.022, 0.0, 1.6, (0.003, 1.0), 0.5),
    "locs": Style("parted", 0.95, 0.09, 1.2, 0.5, (0.010, 2.5), 0.97, width=1.0, strands=9000),
}
# How often each style is drawn.
WOMEN = {"straight": 2, "wavy": 2, "bob": 2, "bun": 2, "ringlets": 1, "fringed": 1, "back": 1, "curly": 1}
WOMEN |= {"afro": 1, "parted": 1, "locs": 1, "swept": 1, "scarf": 1}
MEN = {"crew": 3, "buzz": 2, "swept": 2, "messy": 2, "balding": 2, "parted": 1, "fringe": 1, "curly": 1}
MEN |= {"back": 1, "afro": 1, "bald": 1, "wavy": 1, "locs": 1}
COILED = (
    {"afro": 1, "curly": 1, "locs": 1, "ringlets": 1, "bun": 1},
    {"buzz": 2, "afro": 1, "curly": 1, "locs": 1, "crew": 1},
)


@dataclass(frozen=True)
class Hair:
    """One person's hair.

    Attributes:
        style: a key of STYLES, or balding, bald or scarf.
        colour, brows, beard: linear RGB.
        grey: share of grey strands.
        line: how far the hairline is above (negative) or below the mean.
        recede: how far it has receded at the temples, in face units.
        part: x of the parting.
        stretch: factor of length and volume.
    """

    style: str
    colour: Vectors
    brows: Vectors
    beard: Vectors
    grey: float
    line: float
    recede: float
    part: float
    stretch: float


def draw_hair(traits: Traits, rng: Rng) -> Hair:
    """Choose a person's hair at random. No style is rare; some are more common by sex, age and ancestry."""
    style = _choose(WOMEN if traits.woman else MEN, rng)
    if rng.random() < traits.ancestry[0] and style not in {"scarf", "bald", "balding"}:
        style = _choose(COILED[0 if traits.woman else 1], rng)
    if style == "balding" and traits.age < 0.3:
        style = "crew"
    fair = rng.random() < 0.8 * traits.ancestry[2]
    shades = (BROWN, LIGHT, LIGHT, BLOND, BLOND, RED) if fair else (BLACK, BLACK, DARK, DARK, BROWN)
    colour = np.array(shades[int(rng.integers(len(shades)))]) * rng.uniform(0.8, 1.25)
    grey = float(np.clip(1.9 * traits.age - 0.75 + rng.normal(0, 0.2), 0.0, 1.0))
    dyed = traits.woman and rng.random() < 0.5
    grey = 0.0 if dyed else grey
    ashen = np.array(WHITE if rng.random() < 0.4 * grey else GREY)
    brows = colour * 0.55 + (0.10 * ashen - 0.1 * colour) * grey
    return Hair(
        style=style,
        colour=colour + (ashen - colour) * 0.8 * grey,
        brows=np.minimum(brows, 0.09),
        beard=colour * 0.65 + (ashen - 0.65 * colour) * 0.75 * grey,
        grey=grey,
        line=float(rng.normal(0.0, 0.022)),
        recede=float(0.0 if traits.woman else max(0.0, rng.uniform(-0.05, 0.10) + 0.06 * traits.age)),
        part=float(rng.choice([0.0, 0.16, -0.16, 0.22, -0.22])),
        stretch=float(rng.uniform(0.85, 1.2)),
    )


def _choose(weights: dict[str, int], rng: Rng) -> str:
    share = np.array(list(weights.values()), float)
    return str(rng.choice(list(weights), p=share / share.sum()))


def hairline(hair: Hair, u: Image) -> Image:
    """Return the template height of the hair's lower edge: level at the forehead, falling before the ears."""
    a = np.abs(u)
    level = np.interp(a, *HAIRLINE) + hair.line * step(0.42, 0.3, a)
    temples = -hair.recede * np.exp(-(((a - 0.27) / 0.09) ** 2))
    bald = -0.42 * step(0.44, 0.33, a) if hair.style == "balding" else 0.0
    line: Image = level + temples + bald
    return line
