"""A small study, and made-up figures for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import choice, folds
from rfmeta_dist.tuning.folds import Figure
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.view import View, Views

SPACE = {
    "method.inner_learning_rate": {"loguniform": [1e-4, 1e-1]},
    "training.learning_rate": {"choice": [1e-3, 1e-2]},
}


def base(prefix: str = "faces", domains: str = "OCIM", **training: Any) -> dict[str, Any]:
    return {
        "run": {"name": "base", "folder": "runs"},
        "data": {
            "prefix": prefix,
            "sources": list(domains[:-1]),
            "target": domains[-1],
            "image_size": 32,
            "batch": 4,
        },
        "model": {"width": 0.05},
        "training": {"steps": 2, **training},
        "evaluation": {"recalibration_batches": 2},
    }


def study(domains: str = "OCIM", folder: str = "studies", **changes: Any) -> Study:
    tree = {
        "name": "study",
        "folder": folder,
        "base": check(base(domains=domains), "test"),
        "space": SPACE,
        "search": {"candidates": 4},
        **changes,
    }
    return Study.model_validate(tree)


def result(value: float) -> Result:
    return Result(value, 1 - value)


class World:
    """Made-up figures of all trainings of a study, of which some are known.

    Args:
        given: the study.
        value: the figure of a training, by candidate's values, seed, what it was trained without, domain it is
            judged on and step.
    """

    def __init__(self, given: Study, value: Callable[..., Result]) -> None:
        self.study, self.plan, self.value = given, Plan(given), value
        self.views = Views(given, self.plan.total)
        self.known: dict[tuple, Result] = {}
        self.texts: dict[int, tuple[Candidate, str]] = {}  # json.dumps takes most of the time otherwise

    @staticmethod
    def key_of(candidate: Candidate) -> str:
        return json.dumps(dict(candidate.values), sort_keys=True)

    def key(self, target: str, figure: Figure) -> tuple:
        known = self.texts.get(id(figure.candidate))
        if known is None:
            known = self.texts[id(figure.candidate)] = figure.candidate, self.key_of(figure.candidate)
        return known[1], figure.seed, folds.left_out(target, figure.fold), figure.fold, figure.step

    def view(self, target: str) -> View:
        def lookup(figure: Figure) -> Result | None:
            return self.known.get(self.key(target, figure))

        return self.views.of(target, lookup)

    def wanted(self) -> list[tuple]:
        """Return the stretches of trainings that are wanted now: values, seed, without, step."""
        found = {}
        for target in self.plan.targets:
            for figure in self.view(target).wanted:
                values, seed, without, _, step = self.key(target, figure)
                found[values, seed, without, step] = None
        return list(found)

    def train(self, stretch: tuple) -> None:
        """Make the figures of a stretch known: for all targets that a training serves."""
        values, seed, without, step = stretch
        for judged in folds.judged(self.study, without):
            key = (values, seed, without, judged, step)
            self.known[key] = self.value(*key)

    def run(self, pick: Callable[[int], int] = lambda count: 0, lanes: int = 2) -> None:
        """Train until nothing is wanted. `pick` says which of the running stretches ends next."""
        running: list[tuple] = []
        while True:
            ready = [s for s in self.wanted() if s not in running and s[:3] not in [r[:3] for r in running]]
            running += ready[: lanes - len(running)]
            if not running:
                return
            self.train(running.pop(pick(len(running))))

    def traces(self) -> dict[str, bytes]:
        return {target: choice.trace(self.study, self.view(target)) for target in self.plan.targets}
