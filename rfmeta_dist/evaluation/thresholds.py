"""Choose thresholds on labelled scores. Those of a trained model come from its source domains alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.detectors.api import OperatingPoint, Threshold
from rfmeta_dist.evaluation import operating, rates
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    _require_validation(validation)
    scores = validation.per(unit)
    rate, value = rates.eer(scores.label, scores.score)
    domains = ", ".join(coded(scores.domain)[0])
    source = f"equal error rate on the validation splits of {domains} ({len(scores):,} {unit}s)"
    return Threshold(value, unit, source, rate)


def points_from_sources(validation: Scores, unit: Unit) -> dict[str, OperatingPoint]:
    """Return the thresholds of all operating points on the pooled validation scores of the sources, by name.

    Args:
        validation: frame scores of the validation splits of all source domains.
        unit: `frame` to decide on frames, `video` to decide on videos by the mean score of their frames.

    Raises:
        RunError: a score is not from a validation split.
        DataError: one class is missing.
    """
    _require_validation(validation)
    return points_from(validation, unit, f"validation splits of {', '.join(coded(validation.domain)[0])}")


def points_from(frames: Scores, unit: Unit, data: str) -> dict[str, OperatingPoint]:
    """Return the thresholds of all operating points on some scores, by name, with where each comes from.

    Args:
        frames: frame scores.
        unit: `frame` to decide on frames, `video` to decide on videos by the mean score of their frames.
        data: what the scores are of, in words.

    Raises:
        DataError: one class is missing, or a limit cannot be kept (`operating.choose`).
    """
    scores = frames.per(unit)
    kinds, kind = coded(frames.attack_type)
    recordings = operating.recordings(frames)
    origin = {
        "data": data,
        "unit": unit,
        "domains": coded(frames.domain)[0],
        "subjects": len(set(frames.subject.tolist())),
        "recordings": recordings,
        "frames": {name: int((kind == number).sum()) for number, name in enumerate(kinds)},
    }
    values = operating.choose_some(scores)
    at = reached(scores, values)
    return {
        name: OperatingPoint(value, origin, at[name], operating.lacking(recordings, name))
        for name, value in values.items()
    }


def reached(scores: Scores, thresholds: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return the error rates of scores at each of several thresholds, without sorting the scores for each.

    Args:
        scores: frames or videos, both classes present.
        thresholds: by name; a sample is accepted as live if its score ≥ threshold.

    Returns:
        By name, fractions: `BPCER`, `FAR` (of all attacks together), `HTER`, `APCER` by attack type, and
        `APCER_worst` as {"value", "type"}. They equal those of `rates` to the last digit.
    """
    import numpy as np

    ordered = {kind: np.sort(scores.score[scores.attack_type == kind]) for kind in coded(scores.attack_type)[0]}
    live = ordered.pop(LIVE)
    attacks = sum(map(len, ordered.values()))
    found = {}
    for name, threshold in thresholds.items():
        accepted = {kind: len(s) - int(np.searchsorted(s, threshold)) for kind, s in ordered.items()}
        apcer = {kind: count / len(ordered[kind]) for kind, count in accepted.items()}
        bpcer, far = int(np.searchsorted(live, threshold)) / len(live), sum(accepted.values()) / attacks
        kind, worst = rates.worst(apcer)
        found[name] = {
            "BPCER": bpcer,
            "FAR": far,
            "HTER": rates.half_total(far, bpcer),
            "APCER": apcer,
            "APCER_worst": {"value": worst, "type": kind},
        }
    return found


def _require_validation(validation: Scores) -> None:
    splits = set(validation.split.tolist())
    if splits - {"validation"}:
        raise RunError(
            f"the scores to choose a threshold from are of the splits {', '.join(sorted(splits))}, but only "
            "validation splits may be used",
            "pass the scores of the sources' validation splits only",
        )
    validation.require_both_classes("the sources' validation split")
