"""The decision threshold, taken from the source domains alone and carrying where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.detectors.api import Threshold
from rfmeta_dist.evaluation import rates
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.scores import Scores


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
            f"a threshold was to be chosen from scores of the splits {', '.join(sorted(splits))}",
            "thresholds come from the sources' validation splits: pass their scores only",
        )
    validation.require_both_classes("the sources' validation split")
    scores = validation.per(unit)
    rate, value = rates.eer(scores.label, scores.score)
    domains = ", ".join(coded(scores.domain)[0])
    source = f"equal error rate on the validation splits of {domains} ({len(scores):,} {unit}s)"
    return Threshold(value, unit, source, rate)
