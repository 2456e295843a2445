"""A study's own points are tried first. One that is not of the space is refused by a line that names it."""

from __future__ import annotations

from typing import Any

import pytest

from rfmeta_dist.config.study import Study, load_study
from rfmeta_dist.tuning.plan import Plan
from tests.tuning.test_study_file import STEPS, WEIGHT, base, require_refused, written

POINTS: list[tuple[Any, str]] = [
    ({WEIGHT: 2}, "search.points is not a list .*; write points: "),
    ([[WEIGHT, 2]], r"search.points\[0\] is not a mapping; write {FIELD: VALUE}"),
    ([{WEIGHT: 2}, {"method.depht_weight": 2}], r"search.points\[1\].method.depht_weight: .* did you mean"),
    (
        [{"method": {"depth_weight": 2}}],
        r"search.points\[0\].method: .* is a section; write its fields with dots, as method.depth_weight",
    ),
    ([{WEIGHT: 2, "training.seed": 1}], r"search.points\[0\].training.seed: the space has no field"),
    (
        [{WEIGHT: 11}],
        rf"search.points\[0\].{WEIGHT}=11.0 is not a number from 1.0 to 10.0.*space.{WEIGHT} incl",
    ),
    ([{WEIGHT: "many"}], rf"search.points\[0\].{WEIGHT}=many is not a number from 1.0 to 10.0"),
    ([{WEIGHT: ".nan"}], rf"search.points\[0\].{WEIGHT}=.nan is not a number"),
    ([{WEIGHT: True}], rf"search.points\[0\].{WEIGHT}=true is not a number"),
    ([{STEPS: 1.5}], rf"search.points\[0\].{STEPS}=1.5 is not a whole number from 1 to 3"),
    (
        [{"training.decay": "cosin"}],
        r"search.points\[0\].training.decay=cosin is none of the choices none, cosine",
    ),
    (
        [{"training.clip": 1, STEPS: 1}],
        rf"search.points\[0\].training.clip: .* only set if {STEPS}=2, but the point sets {STEPS}=1; set",
    ),
    ([{"training.clip": 1}], rf"search.points\[0\].training.clip: .* the point does not set {STEPS}"),
    ([{WEIGHT: "1e1"}], r"search.points\[0\] is the same configuration as the base; remove the point"),
    ([{}], r"search.points\[0\] is the same configuration as the base"),
    ([{WEIGHT: 2}, {WEIGHT: "2.0"}], r"search.points\[1\] is the same configuration as search.points\[0\]"),
    (
        [{WEIGHT: w} for w in range(1, 6)],
        "search.candidates=5, but the base and the 5 points .*; set .* to 6 or",
    ),
]


@pytest.mark.parametrize("kind", ["random", "sobol", "tpe"])
@pytest.mark.parametrize(("points", "said"), POINTS, ids=[said[:60] for _, said in POINTS])
def test_points_that_are_not_of_the_space_are_refused(tmp_path, kind, points, said):
    space = {
        WEIGHT: {"loguniform": [1, 10]},
        STEPS: {"int": [1, 3]},
        "training.decay": {"choice": ["none", "cosine"]},
        "training.clip": {"uniform": [0.5, 2], "when": {STEPS: 2}},
    }
    search = {"kind": kind, "candidates": 5, "points": points}
    require_refused(written(tmp_path, space=space, search=search), said)


def test_a_point_that_does_not_fit_is_refused(tmp_path):
    view = {"data.view": {"choice": ["patches", "face"]}, "data.patch_grid": {"choice": [3, 4]}}
    path = written(
        tmp_path,
        base=base(data={"view": "patches"}),
        space=view,
        search={"points": [{"data.view": "face", "data.patch_grid": 4}]},
    )
    require_refused(path, r"search.points\[0\]: .*patch_grid=4 has no effect.*; change the point")


def test_points_come_after_the_base_with_values_of_their_fields_types(tmp_path):
    text = """
      method.depth_weight: {loguniform: [1, 100]}
      data.augmentation: {choice: [null, {flip: 1e-1}]}
      training.bf16_reduce: {choice: [true, false]}
    """
    own = "{method.depth_weight: 1e1, data.augmentation: {flip: 0.1}}, {training.bf16_reduce: true}"
    path = tmp_path / "study.yaml"
    for kind in ("random", "sobol", "tpe", "gp"):
        path.write_text(f"name: s\nbase: {base()}\nspace: {text}\nsearch: {{kind: {kind}, points: [{own}]}}\n")
        study = load_study(path)
        found = Plan(study).shared
        assert [dict(candidate.values) for candidate in found[:3]] == [
            {},
            {"method.depth_weight": 10.0, "data.augmentation": {"flip": 0.1}},
            {"training.bf16_reduce": True},
        ]
        assert Study.model_validate(study.model_dump(mode="json")) == study
