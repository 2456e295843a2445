"""Choose a configuration for a target from what the target knows, and write it as a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count

from rfmeta_dist.config.load import check, dump
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning.results import MEMORY, RESTARTS, SOURCES
from rfmeta_dist.tuning.space import apply
from rfmeta_dist.tuning.view import Entry, View


def best(study: Study, view: View) -> Entry:
    """Return the candidate with the lowest HTER or the highest AUC; of equal ones that with the lowest number.

    Only candidates that came to their last step are compared.

    Raises:
        RunError: the target was stopped, or every candidate failed.
    """
    kinds = {entry.kind for entry in view.entries if entry.failed}
    again = "lower the learning rates in base and space, and start the study under a new name: --set name=…"
    if kinds and kinds <= {MEMORY, RESTARTS}:
        again = (
            "give the trainings more memory or other machines, delete the folder failures/ in the study's "
            "folder, and give the same command again"
        )
    if view.problem:
        raise RunError(f"target {view.target} was stopped: {view.problem}", again)
    sign = 1 if study.metric == "hter" else -1
    complete = [entry for entry in view.entries if entry.value is not None]
    if not complete:
        first = next((entry.failed for entry in view.entries if entry.failed), "there are none")
        raise RunError(
            f"all {len(view.entries)} candidates failed for target {view.target}; the first: {first}", again
        )
    return min(complete, key=lambda entry: (sign * (entry.value or 0.0), entry.candidate.number))


def trace(study: Study, view: View) -> bytes:
    """Return all that led to a target's choice, as JSON lines without times, places or data of the target."""
    rows = [
        {
            "candidate": entry.candidate.number,
            "values": dict(entry.candidate.values),
            "cohort": entry.cohort,
            "rungs": {str(step): dict(by_fold) for step, by_fold in entry.rungs.items()},
            "stopped": entry.stopped,
            "failed": entry.kind,  # the reason in words may name places
            study.metric: entry.value,
        }
        for entry in view.entries
    ]
    head = {
        "study": study.name,
        "target": view.target,
        "seeds": list(study.seeds),
        "selection": study.selection,
        "search": study.search.model_dump(mode="json", exclude={"candidates"}),
        "stopped": bool(view.problem),
    }
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [head, *rows]).encode()


def configuration(study: Study, target: str, chosen: Entry) -> Config:
    """Return the chosen configuration, with all domains but the target as sources, and a seed of its own."""
    tree = apply(study.base, chosen.candidate.values).model_dump(mode="json")
    tree["data"] |= {"sources": [d for d in study.domains if d != target], "target": target}
    tree["training"]["seed"] = fresh_seed(study)
    tree["run"]["name"] = f"{study.name}-to_{target}-c{chosen.candidate.number}"
    return check(tree, f"chosen for {target}")


def fresh_seed(study: Study) -> int:
    """Return the lowest seed with which no candidate of the study is trained."""
    return next(seed for seed in count() if seed not in study.seeds)


def as_yaml(study: Study, view: View, notes: Sequence[str] = ()) -> str:
    """Return the content of a target's choice file: its configuration, and in comments how it was chosen.

    Args:
        study: the study.
        view: what the target knows at the end of the search.
        notes: further sentences for the comments.

    Raises:
        RunError: no candidate came to its end.
    """
    chosen, base = best(study, view), view.entries[0]
    complete = sum(entry.value is not None for entry in view.entries)
    seeds = ", ".join(map(str, study.seeds))
    folds = ", ".join(f"{_fold(fold)} {percent(value)}" for fold, value in chosen.folds.items())
    lines = [
        f"Chosen for target {view.target} by the study {study.name}, without any data of {view.target}.",
        f"Candidate {chosen.candidate.number} of {len(view.entries)}, of which {complete} were trained to the "
        f"end; seeds {seeds}.",
        f"Mean {study.metric.upper()} by video over folds: {percent(chosen.value)} ({folds}).",
        f"The base has {percent(base.value)}." if base.value is not None else "The base failed.",
        "That is the mean of the best of several candidates, so it flatters; judge the model on its target.",
        "The seed is one with which no candidate was trained.",
        *notes,
    ]
    values = [f"{name}: {value}" for name, value in chosen.candidate.values.items()]
    lines += ["Changed: " + ", ".join(values)] if values else ["No field differs from the base."]
    text = "".join(f"# {line}\n" for line in lines)
    return text + dump(configuration(study, view.target, chosen))


def _fold(fold: str) -> str:
    return "the sources' validation splits" if fold == SOURCES else fold


def percent(value: float | None) -> str:
    """Return a rate in [0, 1] as a text in percent."""
    return "–" if value is None else f"{100 * value:.1f} %"
