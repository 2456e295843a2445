"""Points of the unit cube become values of a search space, and those become configurations."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.config.load import check, fields_that_differ
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.tuning.space import Distribution, apply, point

UNIT = st.floats(0, 1)
BOUND = st.floats(1e-9, 1e9)


def base(**sections: Any) -> Config:
    data = {"prefix": "x", "sources": ["O", "C", "I"], "target": "M"}
    return check({"run": {"name": "r"}, "data": data, **sections}, "test")


def value(distribution: dict[str, Any], unit: float) -> Any:
    return point({"f": Distribution.model_validate(distribution)}, [unit])["f"]


@given(UNIT, st.sampled_from(["uniform", "loguniform"]), st.tuples(BOUND, BOUND).filter(lambda b: b[0] < b[1]))
def test_a_value_is_never_outside_its_bounds(unit, kind, bounds):
    assert bounds[0] <= value({kind: bounds}, unit) <= bounds[1]


@given(UNIT, st.integers(-1000, 1000), st.integers(1, 1000))
def test_an_integer_is_never_outside_its_bounds(unit, low, more):
    drawn = value({"int": [low, low + more]}, unit)
    assert type(drawn) is int
    assert low <= drawn <= low + more


@given(BOUND, BOUND.filter(lambda factor: factor > 1.001))
def test_the_middle_of_loguniform_is_the_geometric_mean_and_that_of_uniform_the_arithmetic(low, factor):
    high = low * factor
    assert value({"loguniform": [low, high]}, 0.5) == pytest.approx(math.sqrt(low * high), rel=1e-5)
    assert value({"uniform": [low, high]}, 0.5) == pytest.approx((low + high) / 2, rel=1e-5)


@given(st.integers(1, 30))
def test_integers_and_choices_have_equal_shares_of_the_interval(count):
    units = [(i + 0.5) / count for i in range(count)]
    assert [value({"choice": list(range(count))}, unit) for unit in units] == list(range(count))
    assert [value({"int": [0, count]}, (i + 0.5) / (count + 1)) for i in range(count + 1)] == [
        *range(count + 1)
    ]


def test_coordinates_belong_to_fields_by_the_alphabet():
    a, b = (Distribution.model_validate({"uniform": [low, low + 1]}) for low in (0, 5))
    assert point({"a": a, "b": b}, [0.25, 0.5]) == point({"b": b, "a": a}, [0.25, 0.5]) == {"a": 0.25, "b": 5.5}
    with pytest.raises(ValueError, match="shorter"):
        point({"a": a, "b": b}, [0.25])


def test_a_field_is_set_only_if_its_condition_holds_and_the_field_of_the_condition_is_set():
    space = {
        "c": {"uniform": [0, 1], "when": {"b": 2}},
        "b": {"choice": [1, 2], "when": {"a": True}},
        "a": {"choice": [False, True]},
    }
    built = {name: Distribution.model_validate(given) for name, given in space.items()}
    assert point(built, [0.9, 0.9, 0.5]) == {"a": True, "b": 2, "c": 0.5}
    assert point(built, [0.9, 0.1, 0.5]) == {"a": True, "b": 1}
    assert point(built, [0.1, 0.9, 0.5]) == {"a": False}


def test_values_change_their_fields_and_no_others():
    changed = apply(base(), {"method.depth_weight": 3.0, "training.steps": 7})
    assert fields_that_differ(base(), changed) == ["method.depth_weight", "training.steps"]
    assert (changed.method.depth_weight, changed.training.steps) == (3.0, 7)
    assert apply(base(), {}) == base()


def test_a_field_of_an_optional_section_creates_the_section():
    assert apply(base(), {"data.augmentation.flip": 0.1}).data.augmentation.flip == 0.1
    assert (
        apply(base(data={**base().data.model_dump(), "augmentation": {}}), {"data.augmentation": None})
        == base()
    )


def test_another_rule_drops_the_fields_that_it_lacks():
    aggregate = base(method={"name": "aggregate", "aggregation": "sum", "depth_weight": 2})
    changed = apply(aggregate, {"method.name": "no_meta"})
    assert (changed.method.name, changed.method.depth_weight) == ("no_meta", 2)


def test_another_rule_brings_its_preset_and_the_candidates_own_values_stand_over_it():
    one: dict[str, Any] = {"training": {"workers": 1}}
    changed = apply(base(**one), {"method.name": "reptile"})
    assert changed == base(method={"name": "reptile"}, **one)
    assert changed.method.inner_learning_rate == METHODS["reptile"].preset["method.inner_learning_rate"]
    searched = apply(base(), {"method.name": "mmd_aae", "training.learning_rate": 0.5})
    assert searched.training.learning_rate == 0.5
    own = base(method={"name": "reptile", "inner_learning_rate": 0.5}, **one)
    assert apply(own, {"method.name": "reptile"}) == own


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"method.depth_weight": -1}, "method.depth_weight=-1"),
        ({"method.depht_weight": 1}, "method.depht_weight is unknown"),
        ({"method.aggregation": "sum"}, "aggregation=sum is a field of method aggregate"),
        ({"training.episodes": 1, "episode.domains": 4}, "episode.domains=4"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(values, said):
    with pytest.raises(ConfigError, match=said) as caught:
        apply(base(), values)
    assert str(next(iter(values.values()))) in caught.value.problem
