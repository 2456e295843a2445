"""A recording: all that decides its bytes, and how it is set up to be filmed."""

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
    """One recording to render: all that decides its bytes.

    Attributes:
        card: its domain.
        rho: how strongly the domain's nuisances follow the label, 0 to 1.
        occasion: of the subject; a live recording and the attacks that go with it have one camera and one kind
            of place, light and spurious cue, as in the data sets, where everybody does the same round.
        frames: crops taken of it, evenly spaced in time.
        identity: whose face it shows.
        attacker: who holds the carrier; seen behind a cut print.
        seconds: how long it is.
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
        """The domain's name."""
        return self.card.name

    @property
    def times(self) -> list[float]:
        """When its crops are taken, in seconds."""
        return [(frame + 0.5) * self.seconds / self.frames for frame in range(self.frames)]

    def random(self, *purpose: int | str) -> Rng:
        """This recording's randomness for one purpose."""
        return generator("video", self.seed, self.domain, self.name, *purpose)

    def shared(self, purpose: str) -> Rng:
        """The randomness for one purpose of all recordings of the occasion."""
        return generator("occasion", self.seed, self.domain, self.subject, self.occasion, purpose)


@dataclass(frozen=True)
class Recording:
    """A video as it is filmed.

    Attributes:
        card: the domain whose sessions and instruments it uses, spurious cues included.
        settings: the camera's.
        framing: what the camera would see if nothing moved.
        sight: what the camera sees.
        shake: of the camera.
    """

    video: Video
    card: Domain
    settings: Settings
    framing: Framing
    sight: Sight
    shake: Drift

    @property
    def raster(self) -> Raster:
        """The samples of the scene."""
        return self.sight.scene

    def framing_at(self, seconds: float, sway: Drift) -> Framing:
        """The framing of a swaying person or carrier by a shaking camera."""
        return self.shake.moved(sway.moved(self.framing, seconds), seconds)

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """Crop coordinates → sensor pixels of the whole picture, from its upper left corner."""
        pixels = self.sight.pixels
        return (x - pixels.left) / pixels.pitch, (y - pixels.top) / pixels.pitch


class Shot(NamedTuple):
    """A frame as it reaches the lens.

    Attributes:
        radiance: H×W×3, linear, at the recording's raster.
        depth: the 32×32 depth label of the crop, all zeros for an attack.
        face: where the face is, in sensor pixels.
        pattern: of the dots or pixels of a carrier in view.
    """

    radiance: Image
    depth: NDArray[np.uint8]
    face: Face
    pattern: Pattern | None = None


def pick(choices: tuple[T, ...], rng: Rng) -> T:
    """One of the choices, each as likely."""
    return choices[int(rng.integers(len(choices)))]
