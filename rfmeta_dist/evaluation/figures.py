"""Compute a run's figures on its target, honest ones (threshold from the sources) and oracle ones (target).

A model that is judged on no target has figures of its sources' validation splits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import bootstrap, operating, rates, slices, thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.detectors.api import OperatingPoint
    from rfmeta_dist.evaluation.bootstrap import Resampled
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
        bootstrap               {"level", "resamples", "skipped", "method", "trust"}; trust is a sentence on how
                                far to trust the intervals if the target has few subjects, else ""
        operating_points        {name: …} for each name of `operating.NAMES`, see below
        slices                  error rates by device, session, …, at that threshold (`slices.compute`); only if
                                the data set tells something about the target's recordings

    Each operating point has `threshold`, a number that was chosen on the sources' validation splits, and what
    the target got there: `BPCER`, `FAR` and `HTER` as {…}, `APCER` as {type: {…}}, and `APCER_worst` as {…,
    "type"}. `sources` holds the same rates of the validation splits, and `oracle` those of the target at
    `oracle.threshold`, which is the same point chosen on the target itself; both as plain numbers. `unresolved`
    says why the sources have too few recordings for the point, `oracle.unresolved` the same of the target; ""
    if they have enough.

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
        "counts": counts(validation, scores),
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
    chosen = thresholds.points_from_sources(validation, unit)
    also = {name: point.value for name, point in chosen.items()}
    drawn = bootstrap.resample(scores, threshold.value, seed, resamples, also)
    return {
        "threshold": {"value": threshold.value, "source": threshold.source},
        **at_threshold(scores, threshold.value, drawn),
        **without_threshold(scores, drawn),
        "source_validation_EER": threshold.eer,
        "counts": counts(target, scores),
        "bootstrap": about(drawn, resamples),
        "operating_points": _operating_points(chosen, scores, drawn),
        **_by_slice(scores, threshold.value),
    }


def about(drawn: Resampled, resamples: int) -> dict[str, Any]:
    """Return the field `bootstrap` of `compute`."""
    drawing = {"level": bootstrap.LEVEL, "resamples": resamples, "skipped": drawn.skipped}
    return drawing | {"method": bootstrap.METHOD, "trust": drawn.trust}


def _operating_points(
    chosen: Mapping[str, OperatingPoint], scores: Scores, drawn: bootstrap.Resampled
) -> dict[str, Any]:
    """Return what a target got at thresholds that were chosen on the sources, beside oracle thresholds."""
    best = operating.choose_some(scores, tuple(chosen))
    oracle, recordings = thresholds.reached(scores, best), operating.recordings(scores)
    target = thresholds.reached(scores, {name: point.value for name, point in chosen.items()})

    def figure(value: float, name: str) -> dict[str, float]:
        low, high = drawn.interval(name)
        return {"value": value, "low": low, "high": high}

    found = {}
    for name, point in chosen.items():
        at = target[name]
        found[name] = {
            "threshold": point.value,
            **{rate: figure(at[rate], f"{name} {rate}") for rate in ("BPCER", "FAR", "HTER")},
            "APCER": {kind: figure(rate, f"{name} APCER {kind}") for kind, rate in at["APCER"].items()},
            "APCER_worst": figure(at["APCER_worst"]["value"], f"{name} APCER_worst")
            | {"type": at["APCER_worst"]["type"]},
            "unresolved": point.unresolved,
            "sources": point.reached,
            "oracle": {
                "threshold": best[name],
                **oracle[name],
                "unresolved": operating.lacking(recordings, name),
            },
        }
    return found


def at_threshold(scores: Scores, threshold: float, drawn: Resampled | None) -> dict[str, Any]:
    """Return the figures of `compute` that depend on a threshold: HTER, FAR, BPCER, ACER, APCER and so on.

    Args:
        scores: N frames or videos, both classes present.
        threshold: a sample is accepted as live if its score ≥ threshold.
        drawn: resamples at this threshold; None for figures without intervals, whose ends are then None.
    """
    value = points(scores, threshold)
    figure = _figure(value, drawn)
    worst, _ = rates.worst(rates.apcer(scores.attack_type, scores.score, threshold))
    return {
        **{name: figure(name) for name in ("HTER", "FAR", "BPCER", "ACER", "optimism_gap")},
        "APCER": _family("APCER", value, figure),
        "APCER_worst": figure("APCER_worst") | {"type": worst},
    }


def without_threshold(scores: Scores, drawn: Resampled | None) -> dict[str, Any]:
    """Return the figures of `compute` that depend on no threshold: AUC, and oracle EER and BPCER at APCER.

    Args:
        scores: N frames or videos, both classes present.
        drawn: resamples at any threshold; None for figures without intervals, whose ends are then None.
    """
    oracle = rates.eer(scores.label, scores.score)
    value = points(scores, oracle.threshold)
    figure = _figure(value, drawn)
    return {
        "AUC": figure("AUC"),
        "oracle_EER": figure("oracle_EER") | {"note": ORACLE_NOTE, "threshold": oracle.threshold},
        "BPCER_at_APCER": _family("BPCER_at_APCER", value, figure),
    }


def _figure(value: dict[str, float], drawn: Resampled | None) -> Callable[[str], dict[str, Any]]:
    """Return the function that gives a figure by name, with the ends of its interval."""

    def figure(name: str) -> dict[str, Any]:
        low, high = drawn.interval(name) if drawn else (None, None)
        return {"value": value[name], "low": low, "high": high}

    return figure


def _by_slice(scores: Scores, threshold: float) -> dict[str, Any]:
    """Return the entry `slices`; no entry if nothing is known about the recordings."""
    found = slices.compute(scores, threshold)
    return {"slices": found} if found else {}


def _family(name: str, value: dict[str, float], figure: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Return the figures whose names start with `name` and a space, by the rest of the name."""
    return {key.removeprefix(f"{name} "): figure(key) for key in value if key.startswith(f"{name} ")}


def counts(frames: Scores, scores: Scores) -> dict[str, int]:
    """Return how many live and attack samples, people and videos there are.

    Args:
        frames: the scores as they were made.
        scores: the same per frame or per video, of which live and attack samples are counted.
    """
    return {
        "live": int((scores.label == 1).sum()),
        "attack": int((scores.label == 0).sum()),
        "subjects": len(set(frames.subject.tolist())),
        "videos": len(frames.per_video()),
    }
