"""Which fields of a space mattered for a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.report import importance as measured
from rfmeta_dist.report import study_plots
from rfmeta_dist.report.importance import Importance, importance
from rfmeta_dist.tuning.results import DIVERGED, Result
from tests.tuning.stored import made_up, store, train
from tests.tuning.studies import base, study


def small(folder: Path, **changes):
    search = {"candidates": 16, "batch": 8, "rungs": [2, 4]}
    return study(folder=str(folder), **{"base": check(base(steps=8), "test"), "search": search, **changes})


def test_the_field_that_matters_is_found_and_chance_is_told(tmp_path: Path):
    made = store(small(tmp_path))
    train(made, made_up)
    for target in made.plan.targets:
        found = importance(made.plan.study, made.view(target))
        assert isinstance(found, Importance)
        matters, other = "method.inner_learning_rate", "training.learning_rate"
        assert sum(found.shares.values()) == pytest.approx(1)
        assert found.shares[matters] > found.chance[matters]
        assert found.shares[other] < found.shares[matters]
        assert found.step == 2  # the latest one to which enough candidates came


def test_importance_is_the_same_for_a_score_and_its_opposite(tmp_path: Path):
    one, other = (store(small(tmp_path / metric, metric=metric)) for metric in ("hter", "auc"))
    for found in (one, other):
        train(found, made_up)
    assert importance(one.plan.study, one.view("M")) == importance(other.plan.study, other.view("M"))


def test_importance_with_too_few_candidates_says_how_many_it_takes(tmp_path: Path):
    found = store(small(tmp_path, search={"candidates": measured.FEWEST - 1}))
    train(found, made_up)
    assert "11 were judged at the same step, and it takes 12" in str(
        importance(found.plan.study, found.view("M"))
    )


def test_fields_with_a_condition_and_many_failures_have_an_importance_and_a_line(tmp_path: Path):
    space = {
        "method.name": {"choice": ["rfmeta", "first_order"]},
        "method.inner_steps": {"choice": [2, 3], "when": {"method.name": "first_order"}},
        "method.inner_learning_rate": {"loguniform": [1e-4, 1e-1]},
    }
    found = store(small(tmp_path, space=space))

    def value(config, judged, step):
        fails = config.method.inner_learning_rate > 0.02
        return Result(None, None, "not finite", DIVERGED) if fails else made_up(config, judged, step)

    train(found, value)
    mattered = importance(found.plan.study, found.view("M"))
    assert isinstance(mattered, Importance)
    assert set(mattered.shares) == set(space)
    view = found.view("M")
    text = study_plots.parallel(
        found.plan.study, view, view.entries[0], {name: name for name in space}, "lines"
    )
    assert "not set" in text
