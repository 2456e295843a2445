"""Describe a recording: all that decides its bytes, and how it is set up to be filmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Split
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.domains.identities import Identity
from rfmeta_dist.synth.imaging.texture import Image, Rng
from rfmeta_dist.synth.optics.camera import Settings, Sight
from rfmeta_dist.synth.optics.framing import Face, Framing, Raster
from rfmeta_dist.synth.optics.pattern import Pattern
from rfmeta_dist.synth.person.motion import Drift

T = TypeVar("T")


@dataclass(frozen=True)
class Video:
    """One recording to render. Its fields decide all its bytes.

    Attributes:
        card: the description of its domain.
        rho: how strongly the domain's spurious cues follow the label, 0 to 1.
        split: the split of its subject.
        subject: name of the person.
        attack_type: `live`, `print`, `warped`, `cut` or `replay`.
        name: name of the recording within its domain.
        occasion: number of the occasion. A live recording and the attacks of the same subject and occasion
            share the camera with its settings, the framing, the kind of place and light, and the draw of
            spurious cues, because real data sets record everybody under the same conditions.
        frames: number of crops taken of it, evenly spaced in time.
        size: side of the crops in pixels.
        seed: seed of the data set.
        identity: the person whose face it shows.
        attacker: the person who holds the carrier; visible behind a cut print.
        seconds: length of the recording.
    """

    card: Domain
    rho: float
    split: Split
    subject: str
    attack_type: str
    name: str
    occasion: int
    frames: int
    size: int
    seed: int
    identity: Identity
    attacker: Identity
    seconds: float = 4.0

    @property
    def domain(self) -> str:
        """Return the name of the domain."""
        return self.card.name

    @property
    def times(self) -> list[float]:
        """Return the times in seconds at which crops are taken."""
        return [(frame + 0.5) * self.seconds / self.frames for frame in range(self.frames)]

    def random(self, *purpose: int | str) -> Rng:
        """Return the random generator of this recording for one purpose."""
        return generator("video", self.seed, self.domain, self.name, *purpose)

    def shared(self, purpose: str) -> Rng:
        """Return the random generator for one purpose that all recordings of the occasion share."""
        return generator("occasion", self.seed, self.domain, self.subject, self.occasion, purpose)


@dataclass(frozen=True)
class Recording:
    """A video as it is filmed.

    Attributes:
        video: the recording to render.
        card: the domain whose sessions and instruments it uses, spurious cues included.
        settings: the settings of the camera.
        framing: where the crop would lie if nothing moved.
        sight: the points and pixels that the camera sees.
        shake: movement of the camera.
    """

    video: Video
    card: Domain
    settings: Settings
    framing: Framing
    sight: Sight
    shake: Drift

    @property
    def raster(self) -> Raster:
        """Return the grid of points at which the scene's light is computed."""
        return self.sight.scene

    def framing_at(self, seconds: float, sway: Drift) -> Framing:
        """Return the framing at a time, of a swaying person or carrier seen by a shaking camera."""
        return self.shake.moved(sway.moved(self.framing, seconds), seconds)

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """Convert crop coordinates to sensor pixels of the whole picture, from its upper left corner."""
        pixels = self.sight.pixels
        return (x - pixels.left) / pixels.pitch, (y - pixels.top) / pixels.pitch


class Shot(NamedTuple):
    """A frame as it reaches the lens.

    Attributes:
        radiance: H×W×3, linear, at the raster of the recording.
        depth: the 32×32 depth label of the crop, all zeros for an attack.
        face: where the face is, in sensor pixels.
        pattern: the dots or pixels of a carrier in view.
    """

    radiance: Image
    depth: NDArray[np.uint8]
    face: Face
    pattern: Pattern | None = None


def pick(choices: tuple[T, ...], rng: Rng) -> T:
    """Return one of the choices at random; all are equally likely."""
    return choices[int(rng.integers(len(choices)))]
