"""Choose the decision threshold on the source domains alone."""

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
    """Return the threshold of the equal error rate on the pooled validation scores of the sources.

    Args:
        validation: frame scores of the validation splits of all source domains.
        unit: `frame` to decide on frames, `video` to decide on videos by the mean score of their frames.

    Raises:
        RunError: a score is not from a validation split.
        DataError: one class is missing.
    """
    splits = set(validation.split.tolist())
    if splits - {"validation"}:
        raise RunError(
            f"the scores to choose a threshold from are of the splits {', '.join(sorted(splits))}, but only "
            "validation splits may be used",
            "pass the scores of the sources' validation splits only",
        )
    validation.require_both_classes("the sources' validation split")
    scores = validation.per(unit)
    rate, value = rates.eer(scores.label, scores.score)
    domains = ", ".join(coded(scores.domain)[0])
    source = f"equal error rate on the validation splits of {domains} ({len(scores):,} {unit}s)"
    return Threshold(value, unit, source, rate)
