"""Define the interface of a detector for code that judges, reports or runs it, without importing torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from rfmeta_dist.core.errors import DivergedError, RunError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.core.types import Unit
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class Detector(Protocol):
    """An object that scores faces.

    Attributes:
        kind: name of the recipe that made it; selects the loader of its package (recipes/load.py).
        wants: `frame` if the detector gives one score per frame; `clip` if it gives one score for all frames
            of a video in order.
    """

    kind: str
    wants: Literal["frame", "clip"]

    def score(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Score B×S×S×3 RGB face crops.

        Returns:
            B numbers in [0, 1], where higher means more live; for a clip, one number.

        Raises:
            ScoreError: a score is not a number in [0, 1].
        """
        ...

    def save(self, folder: Store) -> dict[str, Any]:
        """Write the detector's files, arrays as safetensors. Return all else that its loader needs, as JSON."""
        ...


@dataclass(frozen=True)
class Inside:
    """What a detector that ends in an average pool and a linear layer computes of B faces before their scores.

    The identity `logit == activation.mean(axis=(1, 2)) + bias` holds up to rounding, because the average over
    places and the linear layer may change places (Zhou et al., CVPR 2016).

    Attributes:
        logit: B; the score is its sigmoid.
        activation: B×h×h class activation: the last feature maps, weighted by the linear layer and summed over
            channels. A positive value speaks for live, a negative one for an attack.
        bias: of the linear layer.
        features: B×C pooled features, of which the logit is a linear function.
        depth: B×S/8×S/8 predicted depth, at least 0, 1 is nearest; None if the detector predicts none.
        stride: side in pixels of the square of the face that a place of `activation` lies over. What the place
            has seen of the face is usually much larger.
    """

    logit: NDArray[np.float64]
    activation: NDArray[np.float64]
    bias: float
    features: NDArray[np.float64]
    depth: NDArray[np.float64] | None
    stride: int


@runtime_checkable
class Explained(Detector, Protocol):
    """A detector that shows how its scores come about."""

    def inside(self, faces: NDArray[np.uint8]) -> Inside:
        """Return what lies between B×S×S×3 RGB face crops and their scores."""
        ...


class ScoreError(RunError):
    """A detector gave a score that is not a number in [0, 1].

    Args:
        problem: what is wrong with the detector, as a clause of a sentence.
        remedy: what the user can do about it.
        row: index of the face in the batch that was scored, from 0.
    """

    def __init__(self, problem: str, remedy: str, row: int = 0) -> None:
        super().__init__(problem, remedy)
        self.row = row

    def of(self, key: str) -> DivergedError:
        """Return this error with the key of the sample in its message."""
        return DivergedError(
            f"the model gives a score that is not a number for sample {key}: {self.problem}", self.remedy
        )


@dataclass(frozen=True)
class Threshold:
    """A fixed decision rule: a face is accepted as live if its score ≥ value.

    Attributes:
        value: a finite score; the next float above the largest score if nothing is to be accepted.
        unit: `frame` or `video`, whichever is decided on.
        source: how the threshold was chosen, in words.
        eer: HTER at this threshold on the data that it was chosen on: the equal error rate, unless the
            threshold was set for another need than equal errors.
    """

    value: float
    unit: Unit
    source: str
    eer: float


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold for one need, such as `bpcer@apcer5` (evaluation/operating.py), and where it comes from.

    Attributes:
        value: a finite score: a sample is accepted as live if its score ≥ value.
        origin: what the threshold was chosen on: `data` (in words), `unit` (`frame` or `video`), `domains`
            (names), `subjects` (their number), and, for each attack type and for `live`, the number of
            `recordings` and of `frames`.
        reached: the rates at this threshold on that data, as fractions: `BPCER`, `FAR` (of all attacks
            together), `HTER`, `APCER` by attack type, and `APCER_worst` as {"value", "type"}.
        unresolved: why the data have too few recordings for this need; "" if they have enough.
    """

    value: float
    origin: Mapping[str, Any]
    reached: Mapping[str, Any]
    unresolved: str = ""


Points = dict[Unit, dict[str, OperatingPoint]]  # by unit, then by name


def stored_points(points: Points) -> dict[str, Any]:
    """Return operating points as values that JSON can represent, for a package."""
    return {unit: {name: asdict(point) for name, point in named.items()} for unit, named in points.items()}


def read_points(stored: Mapping[Unit, Mapping[str, Any]]) -> Points:
    """Return the operating points that `stored_points` returned.

    Raises:
        TypeError, AttributeError: a field is missing or unknown, or the values are no such points.
    """
    return {
        unit: {name: OperatingPoint(**fields) for name, fields in named.items()}
        for unit, named in stored.items()
    }


@dataclass(frozen=True)
class View:
    """How a detector's input is made from a picture, and how frame scores are combined to a video's score.

    Attributes:
        image_size: side in pixels of the square that is scored: the resized crop, or a patch.
        crop: the rule by which faces were cut out of pictures, from the manifests of the sources; None if they
            have no rule or differ.
        pool: how the scores of a video's frames are combined to the score of the video.
        patches: how patches are cut out of the crop, and how their scores are combined to the score of the
            frame; None if the whole crop is scored.
    """

    image_size: int
    crop: Mapping[str, Any] | None = None
    pool: Literal["mean"] = "mean"
    patches: Patches | None = None

    @property
    def words(self) -> str:
        """Return a phrase for people that says which part of a face the detector scores."""
        side = f"{self.image_size}×{self.image_size}"
        if self.patches is None:
            return f"the whole face at {side} pixels"
        grid = self.patches.grid
        return f"{grid}×{grid} patches of {side} pixels; the score of a face is their mean"

    def described(self) -> dict[str, Any]:
        """Return the view as values that JSON can represent; `of` is the inverse."""
        fields = asdict(self)
        if self.patches is None:
            del fields["patches"]  # a package for whole crops has the same fields as before there were patches
        return fields

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> View:
        """Return the view from what `described` returned.

        Raises:
            TypeError: a field is unknown or missing.
        """
        patches = fields.get("patches")
        return cls(**{**fields, "patches": Patches(**patches) if patches else None})
