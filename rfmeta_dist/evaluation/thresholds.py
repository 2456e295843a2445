"""The decision threshold, taken from the source domains alone and carrying where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation import metrics
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.scores import Scores


@dataclass(frozen=True)
class Threshold:
    """A frozen decision rule: accept as live when score ≥ value.

    Attributes:
        value: a finite number; the next float above the highest score if nothing may be accepted.
        unit: what is decided, a `frame` or a `video`.
        source: how it was chosen, in words.
        eer: the equal error rate it reaches where it was chosen.
    """

    value: float
    unit: Unit
    source: str
    eer: float


def from_sources(validation: Scores, unit: Unit) -> Threshold:
    """The equal-error threshold on the sources' pooled validation scores.

    Args:
        validation: frame scores of the validation splits of every source domain.
        unit: whether to decide on frames or on videos (the mean score of their frames).

    Raises:
        RunError: a score is not of a validation split.
        DataError: one class is missing.
    """
    splits = set(validation.split.tolist())
    if splits - {"validation"}:
        raise RunError(
            f"a threshold was asked of the splits {', '.join(sorted(splits))}",
            "thresholds come from the sources' validation splits: pass their scores only",
        )
    validation.require_both_classes("the sources' validation split")
    scores = validation.per(unit)
    rate, value = metrics.eer(scores.label, scores.score)
    domains = ", ".join(coded(scores.domain)[0])
    source = f"equal error rate on the validation splits of {domains} ({len(scores):,} {unit}s)"
    return Threshold(value, unit, source, rate)
