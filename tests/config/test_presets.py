"""Presets of methods and the section `methods`: which value a field gets, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import (
    check,
    config_of,
    dump,
    fields_that_differ,
    load_config,
    load_settings,
    parse_config,
)
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.retrain import load_retraining
from rfmeta_dist.config.settings import Settings, require_own
from rfmeta_dist.config.study import load_study
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.runs.fingerprint import fingerprint

PRESET = {"training.learning_rate": 1e-4, "training.clip": 2.0, "data.augmentation": {"flip": 0.25}}
FILE: Mapping[str, Any] = {
    "run": {"name": "r"},
    "data": {"prefix": "x", "sources": ["A", "B", "C"], "target": "D"},
    "training": {"learning_rate": 0.01},
}


@pytest.fixture
def preset(monkeypatch):
    """Give two of the paper's methods a preset, as a rule of another paper has."""
    from rfmeta_dist.config import presets

    facts = {name: replace(METHODS[name], preset=PRESET) for name in ("no_meta", "no_depth")}
    monkeypatch.setattr(presets, "METHODS", {**METHODS, **facts})


@pytest.fixture
def write(tmp_path: Path):
    def written(**sections: Any) -> Path:
        path = tmp_path / "c.yaml"
        path.write_text(yaml.safe_dump({**FILE, **sections}))
        return path

    return written


def trained(path: Path, methods: list[str], *overrides: str) -> dict[str, Any]:
    """Return learning rate and clip of the run of each method of a leave-one-out."""
    settings = load_settings(path, overrides)
    made = targets_of(config_of(settings), methods, [], ["D"], settings=settings)
    return {run.method.name: (run.training.learning_rate, run.training.clip) for run in made.runs}


@pytest.mark.parametrize("name", METHODS)
def test_every_preset_names_fields_that_a_method_can_have_and_values_that_they_take(name):
    for field in METHODS[name].preset:
        require_own(name, field)
    config = check({**FILE, "training": {"workers": 1}, "method": {"name": name}}, "of a preset")
    assert config.method.name == name


@pytest.mark.usefixtures("preset")
def test_a_file_stands_over_the_preset_of_its_own_method_and_below_that_of_another_one(write):
    assert trained(write(method={"name": "no_meta"}), []) == {"no_meta": (0.01, 2.0)}
    both = trained(write(method={"name": "no_meta"}), ["no_meta", "no_depth", "rfmeta"])
    assert both == {"no_meta": (0.01, 2.0), "no_depth": (1e-4, 2.0), "rfmeta": (0.01, None)}
    augmented = load_config(write(method={"name": "no_meta"})).data.augmentation
    assert augmented is not None
    assert augmented.flip == 0.25


@pytest.mark.usefixtures("preset")
def test_the_section_methods_stands_over_presets_and_set_over_all(write):
    path = write(methods={"no_depth": {"training.clip": 5}, "rfmeta": {"training.clip": 7}})
    names = ["rfmeta", "no_meta", "no_depth"]
    assert load_config(path).training.clip == 7
    assert trained(path, names) == {"rfmeta": (0.01, 7.0), "no_meta": (1e-4, 2.0), "no_depth": (1e-4, 5.0)}
    assert trained(path, names, "training.clip=9") == {
        "rfmeta": (0.01, 9.0),
        "no_meta": (1e-4, 9.0),
        "no_depth": (1e-4, 9.0),
    }
    single = ("training.clip=9", "methods.no_depth.training.clip=3", "methods.no_meta.training.learning_rate=1")
    assert trained(path, names, *single) == {
        "rfmeta": (0.01, 9.0),
        "no_meta": (1.0, 9.0),
        "no_depth": (1e-4, 3.0),
    }


@pytest.mark.usefixtures("preset")
def test_what_a_run_stores_is_resolved_and_read_back_unchanged(write):
    config = load_config(write(method={"name": "no_meta"}, methods={"no_meta": {"training.steps": 7}}))
    written = dump(config)
    assert "methods" not in yaml.safe_load(written)
    assert parse_config(written, "again") == config
    plain = {
        **FILE,
        "method": {"name": "no_meta"},
        "training": {"learning_rate": 0.01, "clip": 2.0, "steps": 7},
    }
    plain["data"] = {**FILE["data"], "augmentation": {"flip": 0.25}}
    hashes = dict.fromkeys("ABC", "0")
    assert fingerprint(check(plain, "plain"), hashes) == fingerprint(config, hashes)


def test_without_presets_and_section_the_runs_are_those_of_the_file(write):
    file = load_settings(write(method={"name": "aggregate", "aggregation": "sum"}))
    config = config_of(file)
    names = ["aggregate", "rfmeta", "no_meta"]
    made, same = (targets_of(config, names, [0, 1], settings=s).runs for s in (file, Settings.of(config)))
    assert list(map(dump, made)) == list(map(dump, same))
    for run in made:
        differing = set(fields_that_differ(run, config))
        assert differing <= {
            "run.name",
            "method.name",
            "method.aggregation",
            "method.aggregation_batch_norm",
        } | {
            "data.sources",
            "data.target",
            "training.seed",
            "training.workers",
        }
    assert [run.method.aggregation for run in made[::8]] == ["sum", "mean", "mean"]


WRONG = {
    "methods.no_dept: there is no method no_dept; did you mean no_depth": {"no_dept": {"training.steps": 1}},
    "methods.no_depth.training.step: the configuration has no field training.step; did you mean steps": {
        "no_depth": {"training.step": 1}
    },
    "methods.no_depth.training is a section of the configuration; write its fields with dots, as training.steps": {  # noqa: E501
        "no_depth": {"training": {"steps": 1}}
    },
    "methods.no_depth.training.steps=0: Input should be greater than or equal to 1": {
        "no_depth": {"training.steps": 0}
    },
    'methods.no_depth.training.steps="many": Input should be a valid integer': {
        "no_depth": {"training.steps": "many"}
    },
    "methods.no_depth.method.aggregation: aggregation is a field of method aggregate, not of no_depth": {
        "no_depth": {"method.aggregation": "sum"}
    },
    "methods.no_depth.data.target: a method cannot have this field for itself, because methods are compared": {
        "no_depth": {"data.target": "A"}
    },
    "methods.no_depth.evaluation.checkpoint: a method cannot have this field": {
        "no_depth": {"evaluation.checkpoint": "best"}
    },
    "methods.no_depth is not a mapping of fields": {"no_depth": 3},
    "methods is not a mapping of methods": ["no_depth"],
}


@pytest.mark.parametrize("said", WRONG)
def test_a_wrong_entry_is_named_even_if_its_method_is_not_in_use(write, said):
    with pytest.raises(ConfigError) as error:
        load_config(write(methods=WRONG[said]))
    assert str(error.value).startswith(said)


def test_an_empty_section_and_an_entry_that_does_not_fit_an_unused_method_are_no_errors(write, tmp_path):
    path = write()
    path.write_text(path.read_text() + "methods:\n")
    assert load_config(path) == load_config(write())
    # Four workers do not fit this method; it is told when the method is trained.
    assert load_config(write(methods={"aggregate": {"training.workers": 9}})).method.name == "rfmeta"


def test_a_method_that_does_not_go_with_the_settings_costs_no_other(write, monkeypatch):
    from rfmeta_dist.config import schema

    refusing = replace(METHODS["no_depth"], refuses={"deepspeed": "it takes other steps"})
    monkeypatch.setattr(schema, "METHODS", {**METHODS, "no_depth": refusing})
    path = write(training={"strategy": "deepspeed", "workers": 3})
    config = load_config(path)
    made = targets_of(config, ["rfmeta", "no_depth", "aggregate"], [0, 1])
    assert [run.method.name for run in made.runs[::8]] == ["rfmeta", "aggregate"]
    assert len(made.refused) == 8
    assert "strategy 'deepspeed' cannot train no_depth" in made.refused[0].error.problem
    assert [run.training.workers for run in made.runs[::8]] == [3, 2]
    (note,) = made.notes
    assert note.startswith("aggregate has work for 2 workers at most")
    with pytest.raises(ConfigError, match="cannot train no_depth"):
        targets_of(config, ["no_depth"], [])


def test_a_section_that_is_no_mapping_is_told_and_not_replaced(write):
    for section in ("method", "training"):
        path = write(
            **{section: "rfmeta"}, methods={"no_depth": {"training.steps": 3}, "rfmeta": {"training.clip": 1}}
        )
        with pytest.raises(ConfigError, match=rf"configuration field {section}=.* is a section"):
            load_config(path)


def test_an_unknown_method_of_a_list_is_named_with_a_suggestion(write):
    config = load_config(write())
    with pytest.raises(
        ConfigError, match="--methods names 'no_dept', and there is no such method; did you mean no_depth"
    ):
        targets_of(config, ["rfmeta", "no_dept"], [])


@pytest.mark.parametrize("load", [load_study, load_retraining])
def test_a_base_is_of_one_method(tmp_path, load):
    base = {"data": FILE["data"], "methods": {"no_depth": {"training.steps": 3}}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({"run": {"name": "b"}, **base}))
    space = {"space": {"training.steps": {"choice": [1, 2]}}} if load is load_study else {}
    for given in (base, "base.yaml"):
        path = tmp_path / "file.yaml"
        path.write_text(yaml.safe_dump({"name": "s", "base": given, **space}))
        with pytest.raises(ConfigError, match=r"base\.methods: a base is the configuration of one method"):
            load(path)
