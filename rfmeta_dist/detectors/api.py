"""The interface of a detector for code that judges, reports or runs it. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rfmeta_dist.core.errors import RunError
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
        kind: the recipe that made it; selects the loader of its package (recipes/load.py).
        wants: what one score is of: a `frame`, or a `clip`, which is all frames of a video in order.
    """

    kind: str
    wants: Literal["frame", "clip"]

    def score(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Score B×S×S×3 RGB face crops: B numbers in [0, 1], higher is more live; of a clip, one number.

        Raises:
            ScoreError: a score is not such a number.
        """
        ...

    def save(self, folder: Store) -> dict[str, Any]:
        """Write the detector's files, arrays in safetensors, and return what else its loader needs, as JSON."""
        ...


class ScoreError(RunError):
    """The error that a detector gave a score that is not a number in [0, 1].

    Args:
        problem: what is wrong with the detector, as a part of a sentence.
        remedy: what the user can do about it.
        row: which of the faces it was given, from 0.
    """

    def __init__(self, problem: str, remedy: str, row: int = 0) -> None:
        super().__init__(problem, remedy)
        self.row = row

    def of(self, key: str) -> RunError:
        """Return the error that names the sample."""
        return RunError(
            f"the model gives a score that is not a number for sample {key}: {self.problem}", self.remedy
        )


@dataclass(frozen=True)
class Threshold:
    """A frozen decision rule: accept as live when score ≥ value.

    Attributes:
        value: a finite score, or the next float above the largest if nothing may be accepted.
        unit: what is decided, a `frame` or a `video`.
        source: how it was chosen, in words.
        eer: the equal error rate it reaches where it was chosen.
    """

    value: float
    unit: Unit
    source: str
    eer: float


@dataclass(frozen=True)
class View:
    """How a detector's input is made from a picture, and how a video's frame scores become its score.

    Attributes:
        image_size: side in pixels of the square that is scored: of the crop, resized; or of a patch.
        crop: the rule by which faces were cut out of pictures, as the manifests of the sources have it; None if
            they do not say or differ.
        pool: how the scores of a video's frames become the video's.
        patches: how patches are cut out of the crop, and how their scores become the frame's; None if the whole
            crop is scored.
    """

    image_size: int
    crop: Mapping[str, Any] | None = None
    pool: Literal["mean"] = "mean"
    patches: Patches | None = None

    @property
    def words(self) -> str:
        """What the detector sees of a face, for people."""
        side = f"{self.image_size}×{self.image_size}"
        if self.patches is None:
            return f"the whole face at {side} pixels"
        grid = self.patches.grid
        return f"{grid}×{grid} patches of {side} pixels; the score of a face is their mean"

    def described(self) -> dict[str, Any]:
        """Return the view as JSON-able values; `of` is the inverse."""
        fields = asdict(self)
        if self.patches is None:
            del fields["patches"]  # so that a package for whole crops is what it was before there were patches
        return fields

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> View:
        """Return the view that was described.

        Raises:
            TypeError: a field is unknown or missing.
        """
        patches = fields.get("patches")
        return cls(**{**fields, "patches": Patches(**patches) if patches else None})
