"""Compare the scores of an exported model with those of the trained model in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.detectors.api import Detector, ScoreError, View

BATCHES = (1, 5, 16)
LIMIT = 1e-4  # largest difference that is accepted
# A score this close to a threshold has no certain verdict: in PyTorch too, another processor, number of threads
# or size of batch rounds it to the other side.
EDGE = 1e-5
NARROW = 0.05  # scores that spread less than this prove little

Crops = NDArray[np.uint8]
Scored = NDArray[np.float64]
Told = Callable[[str], None]


@dataclass(frozen=True)
class Checked:
    """What a comparison with PyTorch found.

    Attributes:
        crops: number of crops.
        batches: the sizes of the batches in which the exported model scored them.
        difference: the largest difference to PyTorch for each size of batch.
        thresholds: number of thresholds at which verdicts were compared.
        flipped: verdicts that differ. It is 0, because otherwise nothing is written.
        on_edge: crops whose score is within 1e-5 of a threshold; their verdicts are decided by rounding.
        lowest, highest: the range of PyTorch's scores.
    """

    crops: int
    batches: tuple[int, ...]
    difference: tuple[float, ...]
    thresholds: int
    flipped: int
    on_edge: int
    lowest: float
    highest: float

    @property
    def narrow(self) -> bool:
        """Return True if the scores spread so little that their equality proves little."""
        return self.highest - self.lowest < NARROW

    def described(self) -> dict[str, Any]:
        """Return the result as values that JSON can represent."""
        several = {"batches": list(self.batches), "difference": list(self.difference)}
        return {**asdict(self), **several, "limit": LIMIT, "edge": EDGE}


def compare(
    trained: Detector,
    exported: Detector,
    stacks: Sequence[Crops],
    view: View,
    cuts: Mapping[str, float],
    tell: Told,
) -> Checked:
    """Score crops with both models and compare scores and verdicts.

    Args:
        trained: the model in PyTorch. It is given what it was judged on: whole crops, or patches that are cut
            here with NumPy.
        exported: the model that takes crops and cuts patches itself.
        stacks: the crops, in arrays of one size.
        view: the trained model's view.
        cuts: the thresholds by name.
        tell: called with a line of progress.

    Raises:
        VerificationError: scores differ by more than 1e-4, or a verdict differs.
        RunError: a score is not a number.
    """
    total = sum(map(len, stacks))
    tell(f"scoring {total} crops with PyTorch")
    wanted = _numbered(lambda faces: _reference(trained, faces, view), stacks, max(BATCHES))
    differences: list[float] = []
    flipped: set[tuple[int, int]] = set()
    values = np.array(list(cuts.values()))
    certain = np.abs(wanted[:, None] - values) > EDGE
    for batch in BATCHES:
        tell(f"scoring them with the exported model in batches of {batch}")
        found = _numbered(exported.score, stacks, batch)
        differences.append(float(np.abs(found - wanted).max()))
        differs = ((found[:, None] >= values) != (wanted[:, None] >= values)) & certain
        flipped.update(zip(*np.nonzero(differs), strict=True))
    if max(differences) > LIMIT or flipped:
        raise VerificationError(
            f"the exported model does not score as the trained one: on {total} crops its scores differ by "
            f"up to {max(differences):.1e} (limit {LIMIT:.0e}), and {len(flipped)} verdicts differ, so "
            "nothing was written",
            "install the versions of torch, onnx, onnxscript and onnxruntime that constraints.txt names, and "
            "export again",
        )
    edge = int((~certain).any(axis=1).sum())
    low, high = float(wanted.min()), float(wanted.max())
    return Checked(total, BATCHES, tuple(differences), len(cuts), 0, edge, low, high)


def distance(
    one: Detector, other: Detector, stacks: Sequence[Crops], cuts: Mapping[str, float]
) -> dict[str, Any]:
    """Return how far the scores of two exported models are apart: `mean`, `largest`, and `flipped` verdicts.

    Args:
        one: the model that `cuts` belong to.
        other: the other model.
        stacks: the crops, in arrays of one size.
        cuts: thresholds by name; `flipped` counts verdicts that differ at any of them.
    """
    first, second = (_numbered(model.score, stacks, max(BATCHES)) for model in (one, other))
    apart, values = np.abs(first - second), np.array(list(cuts.values()))
    flipped = (first[:, None] >= values) != (second[:, None] >= values)
    return {
        "crops": len(first),
        "mean": float(apart.mean()),
        "largest": float(apart.max()),
        "flipped": {name: int(column.sum()) for name, column in zip(cuts, flipped.T, strict=True)},
    }


def _reference(trained: Detector, faces: Crops, view: View) -> Scored:
    """Return the scores of crops as in judging: of patches, the mean score of those of a crop."""
    if view.patches is None:
        return trained.score(faces)
    side = view.image_size
    places = view.patches.scored(faces.shape[1], side)
    cut = [face[top : top + side, left : left + side] for face in faces for left, top in places]
    scores: Scored = trained.score(np.stack(cut)).reshape(len(faces), len(places)).mean(axis=1)
    return scores


def _numbered(score: Callable[[Crops], Scored], stacks: Sequence[Crops], batch: int) -> Scored:
    """Return the scores of all crops. An error names the number of the crop."""
    found = []
    for number, faces in _batches(stacks, batch):
        try:
            found.append(score(faces))
        except ScoreError as error:
            raise error.of(f"{number + 1} of the comparison") from error
    return np.concatenate(found)


def _batches(stacks: Sequence[Crops], batch: int) -> Iterator[tuple[int, Crops]]:
    before = 0
    for stack in stacks:
        for start in range(0, len(stack), batch):
            yield before + start, stack[start : start + batch]
        before += len(stack)
