"""Compute a run's figures on its target, honest ones (threshold from the sources) and oracle ones (target).

A model that is judged on no target has figures of its sources' validation splits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import bootstrap, rates, slices, thresholds

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.scores import Scores

ORACLE_NOTE = (
    "The threshold was chosen on the target's own labels. "
    "Nobody has these when a system is installed, so this rate is not attainable in practice."
)


def compute(validation: Scores, target: Scores, seed: int, resamples: int = 1000) -> dict[str, dict[str, Any]]:
    """Compute every figure of a run, per frame and per video, as values that JSON can represent.

    All rates are fractions in [0, 1]. `{…}` stands for `{"value", "low", "high"}`, where low and high are the
    95 % interval over the target's subjects. The result has, for each of `frame` and `video`:

        threshold               {"value", "source"}: from the sources' validation splits
        HTER, FAR, BPCER, ACER  {…} at that threshold; FRR is BPCER
        AUC                     {…}
        oracle_EER              {…, "note", "threshold"}: HTER at the target's own best threshold
        optimism_gap            {…}: HTER − oracle EER, in [−1, 1]
        source_validation_EER   number: the equal error rate of the threshold on the sources' validation splits
        APCER                   {type: {…}} at that threshold
        APCER_worst             {…, "type"}
        BPCER_at_APCER          {"0.10": {…}, "0.05": {…}, "0.01": {…}}: at oracle thresholds
        counts                  {"live", "attack", "subjects", "videos"} of the target
        bootstrap               {"level", "resamples", "skipped"}
        slices                  error rates by device, session, …, at that threshold (`slices.compute`); only if
                                the data set tells something about the target's recordings

    Args:
        validation: frame scores of the sources' validation splits.
        target: frame scores of the target domain.
        seed: seed of the bootstrap.
        resamples: number of resamples of the bootstrap.

    Raises:
        RunError: the target is among the sources, or a validation score is from another split.
        DataError: one class is missing, or there are fewer than two subjects.
    """
    _require_sealed(validation, target)
    return {unit: _of_unit(validation, target, unit, seed, resamples) for unit in UNITS}


def of_sources(validation: Scores) -> dict[str, dict[str, Any]]:
    """Compute how a model does on the validation splits of its sources, as values that JSON can represent.

    These figures flatter: the threshold was set on the same scores, and the model was trained on other people
    of the same domains. Rates are fractions in [0, 1]. The result has, for each of `frame` and `video`:

        threshold               {"value", "source"}
        source_validation_EER   number: the equal error rate of the threshold, over all sources
        AUC                     number, over all sources
        domains                 {domain: {"HTER", "AUC"}}: for each source, HTER at that threshold
        counts                  {"live", "attack", "subjects", "videos"} of all sources

    Args:
        validation: frame scores of the sources' validation splits.

    Raises:
        RunError: a score is from another split.
        DataError: one class is missing, in all sources or in one of them.
    """
    return {unit: _of_sources(validation, unit) for unit in UNITS}


def _of_sources(validation: Scores, unit: Unit) -> dict[str, Any]:
    threshold, scores = thresholds.from_sources(validation, unit), validation.per(unit)
    domains = {}
    for name in dict.fromkeys(validation.domain.tolist()):
        own = scores.select(scores.domain == name)
        own.require_both_classes(f"the validation split of {name}")
        domains[name] = {
            "HTER": rates.hter(own.label, own.score, threshold.value),
            "AUC": rates.auc(own.label, own.score),
        }
    return {
        "threshold": {"value": threshold.value, "source": threshold.source},
        "source_validation_EER": threshold.eer,
        "AUC": rates.auc(scores.label, scores.score),
        "domains": domains,
        "counts": _counts(validation, scores),
    }


def points(scores: Scores, threshold: float) -> dict[str, float]:
    """Compute the figures without intervals, under the names that `bootstrap.resample` uses.

    Args:
        scores: N frames or videos, both classes present.
        threshold: a sample is accepted as live if its score ≥ threshold.
    """
    label, score, kinds = scores.label, scores.score, scores.attack_type
    apcer = rates.apcer(kinds, score, threshold)
    hter, oracle = rates.hter(label, score, threshold), rates.eer(label, score).value
    return {
        "HTER": hter,
        "AUC": rates.auc(label, score),
        "oracle_EER": oracle,
        "optimism_gap": hter - oracle,
        "FAR": rates.far(label, score, threshold),
        "BPCER": rates.bpcer(label, score, threshold),
        "ACER": rates.acer(kinds, score, threshold),
        "APCER_worst": rates.worst(apcer)[1],
        **{f"APCER {kind}": rate for kind, rate in apcer.items()},
        **{f"BPCER_at_APCER {limit:.2f}": rate for limit, rate in rates.bpcer_at_apcer(kinds, score).items()},
    }


def by_video(validation: Scores, target: Scores | None) -> tuple[float, float]:
    """Compute a model's HTER and AUC by video, equal to those of `compute` to the last digit.

    Args:
        validation: frame scores of the sources' validation splits, on which the threshold is set.
        target: frame scores of the target domain; None to judge the model on the validation splits themselves.

    Returns:
        HTER at the threshold, and AUC, both in [0, 1].

    Raises:
        RunError: the target is among the sources, or a validation score is from another split.
        DataError: a class is missing.
    """
    if target is not None:
        _require_sealed(validation, target)
    threshold = thresholds.from_sources(validation, "video")
    scores = (validation if target is None else target).per("video")
    return rates.hter(scores.label, scores.score, threshold.value), rates.auc(scores.label, scores.score)


def _require_sealed(validation: Scores, target: Scores) -> None:
    leaked = set(validation.domain.tolist()) & set(target.domain.tolist())
    if leaked:
        raise RunError(
            f"the target {', '.join(sorted(leaked))} is among the validation scores",
            "pass validation scores of source domains only: the threshold must not depend on the target",
        )
    target.require_both_classes("the target")


def _of_unit(validation: Scores, target: Scores, unit: Unit, seed: int, resamples: int) -> dict[str, Any]:
    threshold = thresholds.from_sources(validation, unit)
    scores = target.per(unit)
    value = points(scores, threshold.value)
    drawn = bootstrap.resample(scores, threshold.value, seed, resamples)

    def figure(name: str) -> dict[str, Any]:
        low, high = drawn.interval(name)
        return {"value": value[name], "low": low, "high": high}

    worst, _ = rates.worst(rates.apcer(scores.attack_type, scores.score, threshold.value))
    oracle = rates.eer(scores.label, scores.score)
    return {
        "threshold": {"value": threshold.value, "source": threshold.source},
        **{name: figure(name) for name in ("HTER", "FAR", "BPCER", "ACER", "AUC")},
        "oracle_EER": figure("oracle_EER") | {"note": ORACLE_NOTE, "threshold": oracle.threshold},
        "optimism_gap": figure("optimism_gap"),
        "source_validation_EER": threshold.eer,
        "APCER": _family("APCER", value, figure),
        "APCER_worst": figure("APCER_worst") | {"type": worst},
        "BPCER_at_APCER": _family("BPCER_at_APCER", value, figure),
        "counts": _counts(target, scores),
        "bootstrap": {"level": bootstrap.LEVEL, "resamples": resamples, "skipped": drawn.skipped},
        **_by_slice(scores, threshold.value),
    }


def _by_slice(scores: Scores, threshold: float) -> dict[str, Any]:
    """Return the entry `slices`; no entry if nothing is known about the recordings."""
    found = slices.compute(scores, threshold)
    return {"slices": found} if found else {}


def _family(name: str, value: dict[str, float], figure: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Return the figures whose names start with `name` and a space, by the rest of the name."""
    return {key.removeprefix(f"{name} "): figure(key) for key in value if key.startswith(f"{name} ")}


def _counts(frames: Scores, scores: Scores) -> dict[str, int]:
    return {
        "live": int((scores.label == 1).sum()),
        "attack": int((scores.label == 0).sum()),
        "subjects": len(set(frames.subject.tolist())),
        "videos": len(frames.per_video()),
    }
