"""The candidates of a study depend on its file alone, and raising their number keeps the earlier ones."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from rfmeta_dist.config.study import SOBOL_FIELDS, Study
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.sobol import DIRECTIONS, sobol
from rfmeta_dist.tuning.space import apply

FIELDS = {
    "method.inner_learning_rate": {"loguniform": [1e-4, 1e-1]},
    "method.depth_weight": {"choice": [1.0, 10.0, 100.0]},
    "method.inner_steps": {"int": [1, 4]},
    "method.schedule": {"choice": ["uniform", "balanced"]},
    "training.clip": {"uniform": [0.5, 5], "when": {"method.inner_steps": 2}},
}
SPACES = st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, unique=True).filter(
    lambda names: "training.clip" not in names or "method.inner_steps" in names
)
KINDS = st.sampled_from(["random", "sobol"])
SEEDS = st.integers(0, 1000)


def study(space: dict[str, Any], base: dict[str, Any] | None = None, **search: Any) -> Study:
    data = {"prefix": "x", "sources": ["O", "C", "I"], "target": "M"}
    return Study.model_validate(
        {"name": "s", "base": {"data": data, **(base or {})}, "space": space, "search": search}
    )


def candidates(given: Study) -> list[Candidate]:
    return Plan(given).shared


def of(names: list[str]) -> dict[str, Any]:
    return {name: FIELDS[name] for name in names}


@given(SPACES, KINDS, SEEDS, st.integers(1, 12), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_raising_the_number_keeps_the_earlier_candidates(names, kind, seed, few, more):
    first = candidates(study(of(names), kind=kind, seed=seed, candidates=few))
    assert first[0] == Candidate(0, {})
    assert first == candidates(study(of(names), kind=kind, seed=seed, candidates=few + more))[:few]
    assert [candidate.number for candidate in first] == list(range(len(first)))


@given(SPACES, KINDS, SEEDS, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_fields_in_the_file_changes_nothing(names, kind, seed, shuffler):
    shuffled = list(names)
    shuffler.shuffle(shuffled)
    assert candidates(study(of(names), kind=kind, seed=seed)) == candidates(
        study(of(shuffled), kind=kind, seed=seed)
    )


@given(SPACES, KINDS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_candidates_are_distinct_configurations_with_values_of_the_space(names, kind, seed):
    given = study(of(names), kind=kind, seed=seed)
    found = candidates(given)
    configurations = [apply(given.base, candidate.values) for candidate in found]
    assert all(a != b for i, a in enumerate(configurations) for b in configurations[:i])
    for candidate in found:
        for name, value in candidate.values.items():
            assert given.space[name].contains(value)
        if candidate.number and "training.clip" in names:
            assert ("training.clip" in candidate.values) == (candidate.values["method.inner_steps"] == 2)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_further_field_leaves_random_values_of_the_others(seed):
    rate = of(["method.inner_learning_rate"])
    both = of(["method.inner_learning_rate", "training.clip", "method.inner_steps"])
    alone, joined = (candidates(study(space, kind="random", seed=seed)) for space in (rate, both))
    name = "method.inner_learning_rate"
    assert [c.values[name] for c in alone[1:]] == [c.values[name] for c in joined[1:]]


def test_other_seeds_give_other_candidates():
    for kind in ("random", "sobol"):
        drawn = [candidates(study(FIELDS, kind=kind, seed=seed))[1] for seed in range(10)]
        assert len({str(candidate) for candidate in drawn}) == 10


@pytest.mark.parametrize("kind", ["random", "sobol"])
def test_half_of_a_loguniform_field_lies_below_its_geometric_mean(kind):
    found = candidates(study(of(["method.inner_learning_rate"]), kind=kind, candidates=513))[1:]
    logarithms = [math.log10(candidate.values["method.inner_learning_rate"]) for candidate in found]
    # The median of 512 random points has a standard deviation of 3 × 0.5 / √512 = 0.07.
    assert statistics.median(logarithms) == pytest.approx(-2.5, abs=0.3 if kind == "random" else 0.01)


def test_without_shift_the_points_are_those_of_scipy():
    assert len(DIRECTIONS) == SOBOL_FIELDS
    points = sobol([0] * SOBOL_FIELDS)
    ours = np.array([next(points) for _ in range(1024)])
    np.testing.assert_array_equal(ours, qmc.Sobol(SOBOL_FIELDS, scramble=False).random(1024))


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=SOBOL_FIELDS), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_shift_keeps_one_point_in_each_interval(shifts, power):
    points, count = sobol(shifts), 2**power
    drawn = np.array([next(points) for _ in range(count)])
    for column in (drawn * count).astype(int).T:
        assert sorted(column) == list(range(count))


def test_a_grid_has_all_combinations_in_the_order_of_the_file():
    space = {
        "method.schedule": {"choice": ["balanced", "uniform"]},
        "method.inner_steps": {"int": [1, 2]},
        "training.clip": {"choice": [1.0, 2.0], "when": {"method.inner_steps": 2}},
    }
    found = candidates(study(space, kind="grid"))
    assert [tuple(candidate.values.values()) for candidate in found] == [
        (),
        ("balanced", 1),
        ("balanced", 2, 1.0),
        ("balanced", 2, 2.0),
        ("uniform", 2, 1.0),  # ("uniform", 1) is the base
        ("uniform", 2, 2.0),
    ]
    assert candidates(study(space, kind="grid", candidates=3)) == found[:3]


@pytest.mark.parametrize("kind", ["random", "sobol", "grid"])
def test_a_space_with_few_points_ends_and_the_base_is_not_given_twice(kind):
    space = {"method.schedule": {"choice": ["uniform", "balanced"]}}
    found = candidates(study(space, kind=kind, candidates=16))
    assert [dict(candidate.values) for candidate in found] == [{}, {"method.schedule": "balanced"}]


def test_sixteen_candidates_if_no_number_is_given():
    assert len(candidates(study(FIELDS))) == 16


def test_values_that_are_possible_alone_but_not_together_are_refused():
    space = {"data.view": {"choice": ["face", "patches"]}, "data.patch_grid": {"choice": [3, 4]}}
    base = {"data": {"prefix": "x", "sources": ["O", "C", "I"], "target": "M", "view": "patches"}}
    space["data.view"]["choice"].reverse()
    with pytest.raises(ConfigError, match=r"data.patch_grid=4.*patch_grid=4 has no effect"):
        candidates(study(space, base, kind="grid"))
