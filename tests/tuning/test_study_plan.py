"""A plan counts trainings and steps from the study file alone, and a budget lowers the number of candidates."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.results import Result
from tests.tuning.studies import World, base, result, study

BASE = check(base(steps=100), "test")


def plan(**changes: Any) -> Plan:
    return Plan(study(**{"base": BASE, "search": {"candidates": 16}, **changes}))


@pytest.mark.parametrize(
    ("changes", "trainings"),
    [
        ({}, 16 * 6),
        ({"seeds": [0, 1]}, 16 * 6 * 2),
        ({"targets": ["M"]}, 16 * 3),
        ({"targets": ["M", "O"]}, 16 * 5),
        ({"selection": "source_validation"}, 16 * 4),
        ({"search": {"kind": "tpe", "candidates": 16, "startup": 8}}, 8 * 6 + 8 * 12),
        ({"search": {"kind": "tpe", "candidates": 16, "startup": 6, "batch": 4}}, 8 * 6 + 8 * 12),
    ],
)
def test_trainings_are_counted(changes: dict[str, Any], trainings: int):
    assert plan(**changes).trainings == trainings


def test_early_stopping_is_counted_as_if_the_targets_disagreed():
    search = {"candidates": 8, "batch": 8, "rungs": [20, 50], "keep": 0.25}
    # All to step 20; the base and for each of two targets two others to step 50; the base and one other to 100.
    assert plan(search=search).steps_of(8) == 6 * (8 * 20 + 5 * 30 + 3 * 50)
    assert plan(search=search, targets=["M"]).steps_of(8) == 3 * (8 * 20 + 3 * 30 + 2 * 50)


@pytest.mark.parametrize("targets", [[], ["M"], ["M", "I"]])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.7])
def test_no_study_needs_more_steps_than_were_planned(keep: float, targets: list[str]):
    search = {"candidates": 12, "batch": 6, "rungs": [20, 50], "keep": keep}
    given = study(base=BASE, search=search, targets=targets)

    def value(*key: Any) -> Result:
        return result(random.Random(repr(key)).random())

    found = World(given, value)
    found.run()
    reached: dict[tuple, int] = {}
    for values, seed, without, _, step in found.known:
        reached[values, seed, without] = max(step, reached.get((values, seed, without), 0))
    assert sum(reached.values()) <= Plan(given).steps_of(12)


def test_a_budget_lowers_the_number_of_candidates():
    assert plan(budget={"trainings": 40}).total == 6
    assert plan(budget={"steps": 6 * 500}).total == 5
    assert len(plan(budget={"steps": 6 * 500}).shared) == 5
    assert plan(budget={"trainings": 10**6}).total == 16


@pytest.mark.parametrize("name", ["trainings", "steps"])
def test_a_budget_that_is_too_small_for_the_base_is_refused(name: str):
    with pytest.raises(ConfigError, match=rf"budget.{name}=5 is less than what the base alone needs, (6|600);"):
        _ = plan(budget={name: 5}).total
