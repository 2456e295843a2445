"""A learning rule's own fields are its alone; files of earlier versions hold those of all, and still open."""

import pytest
import yaml

from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import check, dump, fields_that_differ
from rfmeta_dist.config.methods import METHODS, MethodFacts
from rfmeta_dist.core.errors import ConfigError

COMMON = {
    "inner_learning_rate": 0.01,
    "inner_steps": 2,
    "depth_weight": 5.0,
    "meta_test_weight": 0.5,
    "schedule": "balanced",
}
ALL = {**COMMON, "aggregation": "mean", "aggregation_batch_norm": "domain"}  # as earlier versions wrote them


def configured(**method):
    data = {"prefix": "faces", "sources": ["O", "C", "I"], "target": "M"}
    tree = {"run": {"name": "a"}, "data": data, "training": {"workers": 1}, "method": method}
    return check(tree, "config.yaml")


@pytest.mark.parametrize("name", METHODS)
def test_a_file_with_the_fields_of_all_methods_opens_and_keeps_its_own(name):
    config = configured(name=name, **ALL)
    written = yaml.safe_load(dump(config))
    assert written["method"].keys() == {"name", *COMMON, *METHODS[name].fields}
    assert fields_that_differ(check(written, "again"), config) == []
    assert config.method.aggregation == "mean"


@pytest.mark.parametrize("change", [{"aggregation": "sum"}, {"aggregation_batch_norm": "joint"}])
def test_a_foreign_field_that_says_something_is_an_error_that_names_its_owner(change):
    (field,) = change
    with pytest.raises(
        ConfigError, match=f"{field}=.* is a field of method aggregate, not of rfmeta; remove it"
    ):
        configured(**change)
    with pytest.raises(ConfigError, match="a field of method aggregate, not of no_meta"):
        configured(name="no_meta", **(ALL | change))
    assert configured(name="aggregate", **change).method.model_dump()[field] == change[field]


def test_an_own_field_is_checked_and_a_misspelt_one_suggested():
    with pytest.raises(ConfigError, match=r"method\.aggregation=\"median\": Input should be 'mean' or 'sum'"):
        configured(name="aggregate", aggregation="median")
    with pytest.raises(ConfigError, match=r"method\.agregation is unknown; did you mean aggregation"):
        configured(name="aggregate", agregation="sum")


def test_methods_side_by_side_each_take_the_fields_that_are_theirs():
    runs = targets_of(
        configured(name="aggregate", **(ALL | {"aggregation": "sum"})), ["aggregate", "rfmeta"], [0]
    ).runs
    assert [(run.method.name, run.method.aggregation) for run in runs] == [("aggregate", "sum")] * 4 + [
        ("rfmeta", "mean")
    ] * 4
    assert all(run.method.inner_steps == 2 for run in runs)
    with pytest.raises(ConfigError, match="--methods names 'nope'"):
        targets_of(configured(), ["nope"], [0])


def test_facts_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="'pairs' have a meta-test domain"):
        MethodFacts("a:B", "pairs", meta_test=False)
    with pytest.raises(ValueError, match="'domains' have none"):
        MethodFacts("a:B", "domains")
