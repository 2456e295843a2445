"""A study file is read, overridden and checked as a whole. A mistake in it is one line that names the field."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.left_out import LEFT_OUT
from rfmeta_dist.config.load import load_config
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study, load_study
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.tuning.plan import Plan

SHIPPED = Path(__file__).parents[2] / "jobs/configs"
UNIFORM = {"uniform": [1, 2]}
WEIGHT, STEPS, RULE = "method.depth_weight", "method.inner_steps", "method.name"


def written(folder: Path, **changes: Any) -> Path:
    data = {"prefix": "x", "sources": ["O", "C", "I"], "target": "M"}
    tree = {"name": "s", "base": {"data": data}, "space": {WEIGHT: {"uniform": [1, 10]}}, **changes}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in tree.items() if v is not None}, sort_keys=False))
    return path


def base(**sections: Any) -> dict[str, Any]:
    data = {"prefix": "x", "sources": ["O", "C", "I"], "target": "M"}
    return {"data": data | sections.pop("data", {}), **sections}


def test_the_study_we_ship_can_be_planned():
    study = load_study(SHIPPED / "study.yaml")
    assert study.domains == ("C", "I", "M", "O")
    found = Plan(study).shared
    assert len(found) == 4
    assert all(candidate.values.keys() == study.space.keys() for candidate in found[1:])


def test_defaults(tmp_path):
    study = load_study(written(tmp_path))
    assert (study.search.kind, study.search.candidates, study.search.seed) == ("sobol", None, 0)
    assert (study.seeds, study.metric, study.selection, study.targets) == ((0,), "hter", "nested", ())
    assert study.folder == str(Path("runs").resolve())
    assert study.base.run.name == "s"  # a base without a name is called as the study


def test_a_study_survives_being_stored(tmp_path):
    when = {"choice": [True, False], "when": {STEPS: 2}}
    space = {STEPS: {"int": [1, 3]}, "training.bf16_reduce": when, "training.clip": {"loguniform": [0.1, 1]}}
    study = load_study(written(tmp_path, space=space, targets=["M"], seeds=[3, 1]))
    assert Study.model_validate(study.model_dump(mode="json")) == study
    assert study.model_dump(mode="json")["space"] == space


def test_the_base_may_be_a_file_beside_the_study(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/base.yaml").write_text(
        "run: {name: r}\ndata: {prefix: x, sources: [O, C, I], target: NO}\ntraining: {rate: 1e-2}\n"
    )
    path = written(tmp_path, base="configs/base.yaml")
    monkeypatch.chdir("/")
    study = load_study(path, ["base.training.steps=7"])
    assert study.base == load_config(tmp_path / "configs/base.yaml", ["training.steps=7"])
    assert study.domains == ("C", "I", "NO", "O")
    with pytest.raises(ConfigError, match=r"configuration .*/nothing.yaml does not exist; .*example demo"):
        load_study(path, ["base=nothing.yaml"])


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("search.candidates=8", "search.candidates", 8),
        ("base.training.steps=7", "base.training.steps", 7),
        ("base.training.rate=1e-2", "base.training.learning_rate", 0.01),
        ("seeds=[0,1,2]", "seeds", (0, 1, 2)),
        ("targets=[M]", "targets", ("M",)),
        ("metric=auc", "metric", "auc"),
    ],
)
def test_an_override_reaches_its_field(tmp_path, override, field, value):
    found: Any = load_study(written(tmp_path), [override])
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_an_override_adds_or_replaces_a_distribution(tmp_path):
    study = load_study(
        written(tmp_path), [f"space.{WEIGHT}={{choice: [1, 2]}}", f"space.{STEPS}={{int: [1, 2]}}"]
    )
    assert {name: (d.kind, d.values) for name, d in study.space.items()} == {
        WEIGHT: ("choice", (1.0, 2.0)),
        STEPS: ("int", (1, 2)),
    }


def test_texts_become_values_of_their_field_s_type(tmp_path):
    space = """
      method.inner_learning_rate: {loguniform: [1e-4, 1_0e-2]}
      data.augmentation: {choice: [null, {flip: 1e-1}]}
      training.bf16_reduce: {choice: [true, false]}
      method.schedule: {choice: [uniform, balanced], when: {training.bf16_reduce: true}}
    """
    path = tmp_path / "study.yaml"
    path.write_text(f"name: s\nbase: {base()}\nspace: {space}")
    found = load_study(path).space
    assert found["method.inner_learning_rate"].values == (1e-4, 0.1)
    assert found["data.augmentation"].values == (None, {"flip": 0.1})
    assert found["training.bf16_reduce"].values == (True, False)
    assert found["method.schedule"].when == {"training.bf16_reduce": True}


SPACES: list[tuple[dict[str, Any], str]] = [
    ({}, "the space of the study is empty.*; add a field"),
    ({"method.depht_weight": UNIFORM}, "space.method.depht_weight: .* no field .*; did you mean depth_weight"),
    ({"methods.depth_weight": UNIFORM}, "space.methods.depth_weight: .* no field .*; did you mean method"),
    ({"training.steps.x": UNIFORM}, "space.training.steps.x: .* no field .*; write training.steps"),
    ({"method.inner_rate": UNIFORM}, "space.method.inner_rate: .*; write method.inner_learning_rate"),
    ({"method": UNIFORM}, "space.method is a section"),
    ({"run.name": {"choice": ["a", "b"]}}, "space.run.name: .* only names"),
    ({"evaluation.target_split": UNIFORM}, "space.evaluation.target_split: .* judged by different rules"),
    ({"training.seed": {"int": [0, 9]}}, "space.training.seed: .*; list the seeds in the study's field seeds"),
    ({"data.sources": UNIFORM}, "space.data.sources: .* which domains a fold trains on"),
    ({"data.target": UNIFORM}, "space.data.target: .* which domains a fold trains on"),
    ({"data.within": {"choice": ["O/1", "O/2"]}}, "space.data.within: .* which domains a fold trains on"),
    ({WEIGHT: [1, 2]}, f"space.{WEIGHT}: .*is not one distribution; write {{loguniform"),
    ({WEIGHT: {"normal": [1, 2]}}, f"space.{WEIGHT}: .*is not one distribution"),
    ({WEIGHT: UNIFORM | {"int": [1, 2]}}, f"space.{WEIGHT}: .*is not one distribution"),
    ({WEIGHT: UNIFORM | {"wenn": {}}}, f"space.{WEIGHT}: .*is not one distribution"),
    ({WEIGHT: UNIFORM | {"when": 1}}, f"space.{WEIGHT}: the condition '1' is not a mapping"),
    ({WEIGHT: {"uniform": 5}}, f"space.{WEIGHT}: '5' is not a list"),
    ({WEIGHT: {"uniform": [1]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"uniform": ["a", 1]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({WEIGHT: {"uniform": [1, ".inf"]}}, f"space.{WEIGHT}: .* not two finite numbers"),
    ({STEPS: {"int": [1, 2.5]}}, f"space.{STEPS}: .* not two whole numbers"),
    ({WEIGHT: {"uniform": [2, 1]}}, f"space.{WEIGHT}: low 2.0 is not less than high 1.0; exchange"),
    ({STEPS: {"int": [2, 2]}}, f"space.{STEPS}: low 2 is not less than high 2"),
    ({WEIGHT: {"loguniform": [0, 1]}}, f"space.{WEIGHT}: low 0.0 has no logarithm; .* or use uniform"),
    (
        {WEIGHT: {"uniform": [-1, 1]}},
        f"space.{WEIGHT}: the value -1.0 is not possible: .*greater.* 0; give bounds",
    ),
    ({WEIGHT: {"uniform": [1, 1e5]}}, f"space.{WEIGHT}: the value 100000.0 .*less.* 10000; give bounds"),
    ({"data.batch": {"int": [2, 8]}}, "space.data.batch: the value 3 .*multiple of 2; .*choice"),
    (
        {"training.steps": {"loguniform": [10, 100]}},
        r"space.training.steps: .* fractions.*; write {int: \[10, 100",
    ),
    ({"method.schedule": {"uniform": [0, 1]}}, "space.method.schedule: the value 0.0 .*'balanced'; .*choice"),
    ({"method.schedule": {"choice": ["uniform", "best"]}}, "space.method.schedule: the choice 'best' "),
    ({WEIGHT: {"choice": []}}, f"space.{WEIGHT}: choice has no values"),
    ({WEIGHT: {"choice": ["1", "1.0"]}}, f"space.{WEIGHT}: the choice 1.0 is given twice"),
    ({WEIGHT: UNIFORM | {"when": {STEPS: 1}}}, f"space.{WEIGHT}: its condition names {STEPS}, which is not in"),
    ({WEIGHT: UNIFORM, STEPS: {"int": [1, 2], "when": {WEIGHT: 1}}}, f"space.{STEPS}: .* almost never holds"),
    (
        {RULE: {"choice": ["no_meta", "rfmeta"]}, STEPS: {"int": [1, 2], "when": {RULE: "first_order"}}},
        f"space.{STEPS}: its condition {RULE}=first_order never holds",
    ),
    (
        {
            STEPS: {"choice": [1, 2], "when": {"method.schedule": "uniform"}},
            "method.schedule": {"choice": ["uniform", "balanced"], "when": {STEPS: 1}},
        },
        rf"space.{STEPS}: its condition depends on itself \({STEPS} → method.schedule → {STEPS}\)",
    ),
    (
        {"data.augmentation": {"choice": [None]}, "data.augmentation.flip": {"uniform": [0, 1]}},
        "space.data.augmentation.flip is a field of data.augmentation",
    ),
    (
        {"data.augmentation.flip": {"uniform": [0, 1]}},
        "space.data.augmentation.flip: the base has no data.augmentation, .*; write base.data.augmentation",
    ),
    ({"model.weights": {"choice": ["a", "b"]}}, "space.model.weights: .* a change of a file"),
    (
        {RULE: {"choice": ["rfmeta", "no_depth"]}, WEIGHT: {"choice": [1, 10]}},
        f"space.{WEIGHT}: the rule no_depth does not use this field.*; remove .* only under another",
    ),
    ({"episode.domains": {"int": [2, 3]}}, "space.episode.domains: the value 3 .* names 2 domains"),
    (
        {
            RULE: {"choice": ["first_order", "aggregate"]},
            "method.aggregation": {"choice": ["mean", "sum"], "when": {RULE: "aggregate"}},
        },
        "space.method.aggregation: .* tie exactly",
    ),
]


@pytest.mark.parametrize(("space", "said"), SPACES, ids=[said[:60] for _, said in SPACES])
def test_a_space_that_cannot_be_searched_is_refused(tmp_path, space, said):
    require_refused(written(tmp_path, space=space), said)


NEUTRAL = [
    f"{section}.{field}"
    for section, fields in LEFT_OUT.items()
    for field in fields
    if field in Config.model_fields[section].annotation.model_fields and field != "target"
]


@pytest.mark.parametrize("field", NEUTRAL)
def test_a_field_that_the_weights_do_not_depend_on_is_refused(tmp_path, field):
    require_refused(written(tmp_path, space={field: UNIFORM}), f"space.{field}: .*; set base.{field}")


def test_another_backbone_cannot_begin_with_the_base_s_weights(tmp_path):
    tree = base(model={"backbone": "vit_tiny", "weights": "vit.safetensors"})
    path = written(tmp_path, base=tree, space={"model.backbone": {"choice": ["vit_tiny", "vit_small"]}})
    require_refused(path, "space.model.backbone: base.model.weights holds .*; remove space.model.backbone")


WITHIN = {
    "data": {"prefix": "x", "within": "O/1"},
    "method": {"name": "no_meta"},
    "training": {"workers": 1},
}
STUDIES: list[tuple[dict[str, Any], str]] = [
    ({"search": {"candidates": 0}}, "search.candidates=0: .*greater than or equal to 1"),
    ({"base": WITHIN}, "base: data.within=O/1 trains and judges within one domain.*; remove base.data.within"),
    ({"search": {"candidates": "many"}}, 'search.candidates="many": .*valid integer'),
    ({"search": {"kind": "bohb"}}, 'search.kind="bohb": .*sobol'),
    ({"search": {"rungs": [20, 10]}}, "search.rungs: the steps do not rise"),
    ({"search": {"rungs": [0]}}, "search.rungs.0=0: .*greater than or equal to 1"),
    ({"search": {"rungs": [100000]}}, "search.rungs: step 100000 is not before the end of a training"),
    (
        {"search": {"rungs": [10]}, "space": {"training.steps": {"int": [100, 200]}}},
        "space.training.steps: candidates that are compared .*; remove",
    ),
    ({"search": {"keep": 1}}, "search.keep=1.0: .*less than 1"),
    ({"search": {"batch": 0}}, "search.batch=0: .*greater than or equal to 1"),
    ({"budget": {"hours": 0}}, "budget.hours=0.0: .*greater than 0"),
    ({"budget": {"minutes": 5}}, "budget.minutes is unknown"),
    ({"search": {"kind": "grid"}}, f"space.{WEIGHT}: a grid cannot list the values of uniform; .*sobol"),
    (
        {"search": {"kind": "grid"}, "space": {"training.steps": {"int": [1, 10**6]}}},
        "1000000 combinations .*at most 10000",
    ),
    ({"seeds": []}, "seeds: no seed is given"),
    ({"seeds": [1, 1]}, "seeds: a seed is given twice"),
    ({"seeds": [-1]}, "seeds.0=-1"),
    ({"metric": "acc"}, 'metric="acc": .*hter'),
    ({"targets": ["X"]}, "targets: X is not a domain of the study, which has C, I, M, O; use one of"),
    ({"targets": ["O", "O"]}, "targets: a domain is named twice"),
    ({"name": "a b"}, 'name="a b" is not a name'),
    ({"nane": "a"}, "field nane is unknown; did you mean name"),
    ({"base": base(training={"stesp": 1})}, "base.training.stesp is unknown; did you mean steps"),
    ({"base": None}, "field base is missing"),
    ({"space": None}, "field space is missing"),
    ({"space": [1]}, "field space="),
    (
        {"base": base(data={"sources": ["O", "C"]})},
        "base: the study has the 3 domains C, M, O.* needs two; add .*selection=source_validation",
    ),
    (
        {"base": base(data={"sources": ["O"]}), "selection": "source_validation"},
        "data.sources",
    ),
    ({"base": base(episode={"domains": 3})}, "base: a fold trains on 2 of the 4 domains.*episode.domains=3"),
    ({"base": base(training={"workers": 3})}, "base: a fold trains on 2 of the 4 domains.*training.workers=3"),
]


@pytest.mark.parametrize(("changes", "said"), STUDIES, ids=[said[:60] for _, said in STUDIES])
def test_a_study_that_cannot_be_done_is_refused(tmp_path, changes, said):
    require_refused(written(tmp_path, **changes), said)


def require_refused(path: Path, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    assert re.search(said, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "a: 1\na: 2"])
def test_a_file_that_is_no_study_is_refused(tmp_path, text):
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"study .*study.yaml|study field"):
        load_study(tmp_path / "study.yaml")
    with pytest.raises(ConfigError, match=r"study .* does not exist; .*rfmeta example study > study.yaml"):
        load_study(tmp_path / "nothing.yaml")


def test_planning_a_study_loads_neither_torch_nor_ray_nor_scipy():
    code = (
        "import sys; from rfmeta_dist.config import study; import rfmeta_dist.tuning.plan as p; "
        f"p.Plan(study.load_study(__import__('pathlib').Path({str(SHIPPED / 'study.yaml')!r}))).shared; "
        "assert not {'torch', 'ray', 'scipy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
