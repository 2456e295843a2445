"""Choose one configuration for a model that is trained on all domains, from the same trainings.

It has seen every domain, so no domain is left to judge it on: its figures say nothing about a target, and it is
kept apart from the targets' choices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from rfmeta_dist.config.load import check, dump
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.choice import fresh_seed, percent
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.space import apply
from rfmeta_dist.tuning.view import View


@dataclass(frozen=True)
class Deployed:
    """A candidate that every target knows to its end.

    Attributes:
        candidate: the candidate, with its number in the first target's order.
        value: mean of the study's metric over all folds of all targets.
        targets: the mean over its folds, by target.
    """

    candidate: Candidate
    value: float
    targets: Mapping[str, float]


def ranked(study: Study, views: Sequence[View]) -> list[Deployed]:
    """Return the candidates that came to their end for every target, the best first. The base is among them."""
    by_target = [
        {_key(entry.candidate): entry for entry in view.entries if entry.value is not None and not view.problem}
        for view in views
    ]
    sign = 1 if study.metric == "hter" else -1
    found = []
    for key, entry in by_target[0].items():
        if all(key in known for known in by_target):
            values = {
                view.target: known[key].value or 0.0 for view, known in zip(views, by_target, strict=True)
            }
            found.append(Deployed(entry.candidate, mean(values.values()), values))
    return sorted(found, key=lambda one: (sign * one.value, one.candidate.number))


def as_yaml(study: Study, views: Sequence[View]) -> str | None:
    """Return the content of choice-deploy.yaml; None if no candidate came to its end for every target."""
    order = ranked(study, views)
    if not order:
        return None
    best = order[0]
    tree = apply(study.base, best.candidate.values).model_dump(mode="json")
    tree["data"] |= {"sources": list(study.domains), "target": None}
    tree["training"]["seed"] = fresh_seed(study)
    tree["run"]["name"] = f"{study.name}-deploy"
    base = next((one for one in order if not one.candidate.values), None)
    values = [f"{name}: {value}" for name, value in best.candidate.values.items()]
    lines = [
        f"Chosen by the study {study.name} for a model to ship, which is trained on all domains: "
        f"{', '.join(study.domains)}.",
        "All domains had a part in this choice. So it must not be used to report how a model does on a domain "
        "it has not seen; for that there is choice-to_TARGET.yaml.",
        f"Mean {study.metric.upper()} by video over all folds of all targets: {percent(best.value)}, the best "
        f"of {len(order)} candidates that were trained to the end for every target."
        + (f" The base has {percent(base.value)}." if base else ""),
        "Changed: " + ", ".join(values) if values else "No field differs from the base.",
    ]
    return "".join(f"# {line}\n" for line in lines) + dump(check(tree, "to deploy"))


def _key(candidate: Candidate) -> str:
    return json.dumps(dict(candidate.values), sort_keys=True)
