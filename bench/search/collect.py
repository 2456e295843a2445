"""Read from a study's folder what its search and its comparison came to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.choice import best
from rfmeta_dist.tuning.known import Known
from rfmeta_dist.tuning.study import look

WHICH = ("choice", "oracle", "base")


def collect(folder: str) -> dict[str, Any]:
    """Return what the study in a folder came to, as values that JSON can represent.

    Args:
        folder: the study's folder, after `rfmeta tune` and `rfmeta tune regret`.

    Raises:
        RunError: there is no study, or it was not compared yet.
    """
    study = look(folder)
    try:
        regret = json.loads(study.folder.read("regret.json"))
    except MissingError:
        raise RunError(
            f"the study {folder} was not compared yet", f"give first: rfmeta tune regret {folder}"
        ) from None
    return {
        "study": study.plan.study.name,
        "code": study.state.code,
        "candidates": study.plan.total,
        "rungs": list(study.plan.study.search.rungs),
        "steps": study.plan.study.base.training.steps,
        "manifests": dict(study.manifests),
        "search": _search(study),
        "fresh_seeds": regret["fresh_seeds"],
        "interval": regret["interval"],
        "targets": {name: _target(study, name, found) for name, found in regret["targets"].items()},
        "mean": regret["mean"],
    }


def _search(study: Known) -> dict[str, Any]:
    """Return how much was trained, and how much it would have been without sharing and without stopping."""
    reached: dict[str, int] = {}
    seconds: dict[str, float] = {}
    asked = (
        study.plan.total
        * len(study.plan.study.seeds)
        * sum(len(folds.of_target(study.plan.study, target)) for target in study.plan.targets)
    )
    for target in study.plan.targets:
        for figure, result in study.asked(target):
            config = study.config(figure.candidate, figure.seed, folds.left_out(target, figure.fold))
            reached[config.run.name] = max(reached.get(config.run.name, 0), figure.step)
            stretch = f"{config.run.name} {figure.step}"  # both figures of a stretch have its time
            seconds[stretch] = max(seconds.get(stretch, 0.0), result.seconds)
    return {
        "trainings_without_sharing": asked,
        "trainings": len(reached),
        "ended_at_step": {str(step): count for step, count in sorted(Counter(reached.values()).items())},
        "steps_trained": sum(reached.values()),
        "hours": round(sum(seconds.values()) / 3600, 2),
    }


def _target(study: Known, target: str, regret: Mapping[str, Any]) -> dict[str, Any]:
    view = study.view(target)
    chosen = best(study.plan.study, view)
    values = {
        which: [row["hter"] for row in regret["figures"] if row["candidate"] == regret[which] and row["fresh"]]
        for which in WHICH
    }
    return {
        **{which: {"candidate": regret[which], **_spread(values[which])} for which in WHICH},
        "values": dict(chosen.candidate.values),
        "folds_choice": chosen.value,
        "folds_base": view.entries[0].value,
        "regret": regret["regret"],
        "regret_at_most": regret["regret_at_most"],
        "worse_than_base": regret["worse_than_base"],
        "first_seed": {str(row["candidate"]): row["hter"] for row in regret["figures"] if not row["fresh"]},
    }


def _spread(values: list[float]) -> dict[str, Any]:
    return {"mean": mean(values), "std": stdev(values), "by_seed": values}
