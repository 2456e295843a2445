"""A small study, and made-up figures for it."""

from __future__ import annotations

from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.folds import Figure
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Plan

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


def every_figure(plan: Plan) -> list[Figure]:
    """All figures that any target asks for."""
    return [Figure(training, judged) for training, several in plan.trainings.items() for judged in several]


def result(value: float) -> Result:
    return Result(value, 1 - value)
