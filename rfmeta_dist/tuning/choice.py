"""Choose a configuration for a target from the figures that the target asked for, and write it as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import mean

from rfmeta_dist.config.load import check, dump
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning.folds import Figure, asked
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.space import apply

Results = Mapping[Figure, Result]


@dataclass(frozen=True)
class Score:
    """A candidate's score for a target.

    Attributes:
        candidate: the candidate.
        value: mean of the study's metric over folds and seeds, in [0, 1]; None if one of the trainings failed.
        folds: mean over seeds for each domain that played the target; empty if a training failed.
        failed: why a training failed; empty if none did.
    """

    candidate: Candidate
    value: float | None
    folds: Mapping[str, float]
    failed: str = ""


def scores(study: Study, target: str, candidates: Sequence[Candidate], results: Results) -> list[Score]:
    """Return the score of each candidate for a target. Other figures than the target's own are not looked at.

    Args:
        study: the study.
        target: the target.
        candidates: the candidates.
        results: the figures; those that `folds.asked` names must be there.
    """
    return [_score(study, target, candidate, results) for candidate in candidates]


def _score(study: Study, target: str, candidate: Candidate, results: Results) -> Score:
    found = {figure: results[figure] for figure in asked(study, target, [candidate])}
    failed = next((result.failed for result in found.values() if result.failed), "")
    if failed:
        return Score(candidate, None, {}, failed)
    by_fold: dict[str, list[float]] = {}
    for figure, result in found.items():
        value = result.hter if study.metric == "hter" else result.auc
        assert value is not None  # it did not fail
        by_fold.setdefault(figure.judged, []).append(value)
    return Score(
        candidate,
        mean(v for values in by_fold.values() for v in values),
        {fold: mean(values) for fold, values in by_fold.items()},
    )


def best(study: Study, target: str, scored: Sequence[Score]) -> Score:
    """Return the best score: lowest HTER or highest AUC; of equal ones that of the lowest number.

    Raises:
        RunError: every candidate failed.
    """
    sign = 1 if study.metric == "hter" else -1
    ranked = sorted(
        (score for score in scored if score.value is not None),
        key=lambda score: (sign * (score.value or 0.0), score.candidate.number),
    )
    if not ranked:
        raise RunError(
            f"all {len(scored)} candidates failed for target {target}; the first: {scored[0].failed}",
            "lower the learning rates in base and space, and start the study under a new name: --set name=…",
        )
    return ranked[0]


def trace(study: Study, target: str, scored: Sequence[Score]) -> bytes:
    """Return all that led to a target's choice, as JSON lines without times, places or data of the target."""
    rows = [
        {
            "candidate": score.candidate.number,
            "values": dict(score.candidate.values),
            study.metric: score.value,
            "folds": dict(score.folds),
            "failed": bool(score.failed),  # the reason may name places
        }
        for score in scored
    ]
    head = {"study": study.name, "target": target, "seeds": list(study.seeds), "selection": study.selection}
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [head, *rows]).encode()


def configuration(study: Study, target: str, chosen: Score) -> Config:
    """Return the chosen configuration, with all domains but the target as sources, and a seed of its own."""
    tree = apply(study.base, chosen.candidate.values).model_dump(mode="json")
    tree["data"] |= {"sources": [d for d in study.domains if d != target], "target": target}
    tree["training"]["seed"] = next(seed for seed in count() if seed not in study.seeds)
    tree["run"]["name"] = f"{study.name}-to_{target}-c{chosen.candidate.number}"
    return check(tree, f"chosen for {target}")


def as_yaml(study: Study, target: str, scored: Sequence[Score]) -> str:
    """Return the content of a target's choice file: its configuration, and in comments how it was chosen."""
    chosen, base = best(study, target, scored), scored[0]
    seeds = ", ".join(map(str, study.seeds))
    folds = ", ".join(f"{fold} {_percent(value)}" for fold, value in chosen.folds.items())
    lines = [
        f"Chosen for target {target} by the study {study.name}, without any data of {target}.",
        f"Candidate {chosen.candidate.number} of {len(scored)}; seeds {seeds}.",
        f"Mean {study.metric.upper()} by video over folds: {_percent(chosen.value)} ({folds}).",
        f"The base has {_percent(base.value)}." if base.value is not None else "The base failed.",
        "That is the mean of the best of several candidates, so it flatters; judge the model on its target.",
        "The seed is one with which no candidate was trained.",
    ]
    values = [f"{field}: {value}" for field, value in chosen.candidate.values.items()]
    lines += ["Changed: " + ", ".join(values)] if values else ["No field differs from the base."]
    text = "".join(f"# {line}\n" for line in lines)
    return text + dump(configuration(study, target, chosen))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
