"""Spaces whose values are no numbers, tie exactly or do not fit each other are refused before any training."""

from __future__ import annotations

from typing import Any

import pytest

from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.study import load_study
from rfmeta_dist.tuning.plan import Plan
from tests.tuning.test_study_file import RULE, STEPS, UNIFORM, WEIGHT, base, require_refused, written

TWO = {"int": [1, 2]}
SPACES: list[tuple[dict[str, Any], str]] = [
    ({WEIGHT: {"uniform": [1, ".nan"]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"uniform": [None, 1]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"uniform": [True, 10]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"loguniform": [1, 10, 2]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"loguniform": [-1, 1]}}, f"space.{WEIGHT}: low -1.0 has no logarithm"),
    ({WEIGHT: {"choice": [None, 1]}}, f"space.{WEIGHT}: the choice 'null' is not possible"),
    ({WEIGHT: {"choice": [True, 1]}}, f"space.{WEIGHT}: the choice 'true' is not possible"),
    ({"training.clip": {"choice": [None, "~"]}}, "space.training.clip: the choice None is given twice"),
    (
        {STEPS: TWO | {"when": {WEIGHT: True}}, WEIGHT: {"choice": [1, 2]}},
        f"space.{STEPS}: its condition {WEIGHT}=true never holds",
    ),
    (
        {RULE: {"choice": ["rfmeta", "no_meta", "aggregate"]}},
        f"space.{RULE}: .* rfmeta and aggregate train the same weights, .* tie exactly; remove aggregate",
    ),
    (
        {RULE: {"choice": ["rfmeta", "no_meta"]}, STEPS: TWO | {"when": {RULE: "no_meta"}}},
        f"space.{STEPS}: the rule no_meta does not use this field, .* tie exactly; remove space.{STEPS}",
    ),
]


@pytest.mark.parametrize(("space", "said"), SPACES, ids=[said[:60] for _, said in SPACES])
def test_a_space_with_values_that_are_wrong_or_equal_is_refused(tmp_path, space, said):
    require_refused(written(tmp_path, space=space), said)


def test_numbers_are_also_refused_from_python(tmp_path):
    study = load_study(written(tmp_path))
    for bounds in ([True, 10], [1, float("nan")], [None, 1], ["1", "x"]):
        with pytest.raises(ValueError, match="not two finite numbers"):
            type(study).model_validate(study.model_dump() | {"space": {WEIGHT: {"uniform": bounds}}})


@pytest.mark.parametrize("rule", ["no_meta", "no_depth"])
def test_a_field_that_the_base_s_rule_does_not_use_is_refused(tmp_path, rule):
    for field in (f"method.{name}" for name in METHODS[rule].unused):
        kind = TWO if field == STEPS else UNIFORM
        path = written(tmp_path, base=base(method={"name": rule}), space={field: kind})
        require_refused(path, f"space.{field}: the rule {rule} does not use this field")


def test_a_field_of_another_section_that_the_base_s_rule_does_not_use_is_refused(tmp_path):
    path = written(
        tmp_path,
        base=base(method={"name": "reptile"}, training={"workers": 1}),
        space={"training.learning_rate": {"loguniform": [1e-4, 1e-2]}},
    )
    require_refused(path, "space.training.learning_rate: the rule reptile does not use this field")


def test_rules_that_differ_if_there_is_something_to_aggregate_may_be_searched(tmp_path):
    rules = {RULE: {"choice": ["rfmeta", "aggregate"]}}
    five = base(data={"sources": ["O", "C", "I", "N"]})
    assert load_study(written(tmp_path, base=five, space=rules)).space.keys() == rules.keys()


def test_a_gaussian_process_takes_no_conditions(tmp_path):
    space = {STEPS: TWO, WEIGHT: UNIFORM | {"when": {STEPS: 1}}}
    said = f"space.{WEIGHT} has the condition {STEPS}=1, but search.kind=gp .*; set search.kind=tpe"
    require_refused(written(tmp_path, space=space, search={"kind": "gp"}), said)
    assert load_study(written(tmp_path, space=space, search={"kind": "tpe"})).search.learns


def test_a_search_that_learns_is_refused_if_values_do_not_fit_each_other(tmp_path):
    space = {"data.view": {"choice": ["patches", "face"]}, "data.patch_grid": {"choice": [3, 4]}}
    path = written(tmp_path, base=base(data={"view": "patches"}), space=space, search={"kind": "tpe"})
    require_refused(path, "the candidate data.view=face, data.patch_grid=4 is not possible: .* has no effect")
    space["data.patch_grid"]["when"] = {"data.view": "patches"}
    assert load_study(
        written(tmp_path, base=base(data={"view": "patches"}), space=space, search={"kind": "tpe"})
    )


def test_more_fields_than_sobol_has_dimensions_are_refused(tmp_path):
    fields = [
        f"data.augmentation.{name}"
        for name in ("flip", "brightness", "contrast", "saturation", "cutout", "noise")
    ]
    fields += [WEIGHT, "method.inner_learning_rate", "method.meta_test_weight", "training.clip", "model.width"]
    fields += ["training.learning_rate", "data.augmentation.crop", "data.augmentation.blur"]
    space = {name: {"uniform": [0.1, 0.9]} for name in (*fields, "data.augmentation.sharpness")}
    space |= {STEPS: {"int": [1, 2]}, "training.episodes": {"int": [1, 2]}, "training.steps": {"int": [1, 2]}}
    space |= {"method.schedule": {"choice": ["uniform"]}, "training.decay": {"choice": ["cosine"]}}
    space |= {"training.precision": {"choice": ["bf16"]}}
    varied = base(data={"augmentation": {}})
    assert load_study(written(tmp_path, base=varied, space=space)).space.keys() == space.keys()
    space |= {"training.not_finite": {"choice": ["skip"]}}
    require_refused(
        written(tmp_path, base=varied, space=space), "space has 22 fields.*; set search.kind=random"
    )
    assert Plan(load_study(written(tmp_path, base=varied, space=space, search={"kind": "random"}))).shared


def test_a_study_keeps_no_checkpoints_to_choose_the_best_of(tmp_path):
    tree = base(evaluation={"checkpoint": "best", "candidates": 2})
    path = written(tmp_path, base=tree, space={WEIGHT: UNIFORM})
    require_refused(path, "base.evaluation.checkpoint: .*no best one .*; set .* to last or average")


def test_averages_that_no_model_is_made_of_tie(tmp_path):
    space = {"training.average": {"uniform": [0.5, 0.9]}}
    said = "space.training.average: base.evaluation.checkpoint is last, .* all values of this field tie"
    require_refused(written(tmp_path, space=space), said)
    tree = base(training={"average": 0.5}, evaluation={"checkpoint": "average"})
    assert load_study(written(tmp_path, base=tree, space=space)).space
