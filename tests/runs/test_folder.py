"""A run's folder belongs to one configuration, and knows who read what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage.store import Store, open_store


def config(**training: Any) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {"prefix": "x", "sources": ["A", "B", "C"], "target": "D"},
        "training": {"steps": 10, **training},
    }
    return check(tree, "test")


@pytest.fixture
def folder(tmp_path) -> Store:
    return open_store(str(tmp_path / "r"))


def test_the_first_start_takes_the_folder_and_the_second_resumes(folder):
    assert runs.claim(folder, config()) is False
    assert runs.claim(folder, config()) is True
    assert runs.read_config(folder) == config()


@pytest.mark.parametrize(
    "hardware", [{"workers": 1}, {"workers": 1, "strategy": "single"}, {"threads": 2}, {"gpus": 1}]
)
def test_a_run_goes_on_with_other_hardware(folder, hardware):
    runs.claim(folder, config())
    assert runs.claim(folder, config(**hardware)) is True


@pytest.mark.parametrize("steps", [9, 11])
def test_a_resume_cannot_change_the_number_of_steps(folder, steps):
    runs.claim(folder, config())
    with pytest.raises(RunError, match=rf"started for 10 steps.* {steps}; set training.steps=10"):
        runs.claim(folder, config(steps=steps))


@pytest.mark.parametrize(
    "help_", [{"not_finite": "skip"}, {"clip": 1.0}, {"learning_rate": 1e-4}], ids=lambda h: next(iter(h))
)
def test_what_helps_against_a_loss_that_is_not_finite_needs_a_new_run(folder, help_):
    runs.claim(folder, config())
    with pytest.raises(RunError, match=r"different: training\.\w+\); start a new run with --set run.name="):
        runs.claim(folder, config(**help_))


def test_the_fields_that_differ_are_named(folder):
    runs.claim(folder, config())
    with pytest.raises(RunError, match=r"training\.learning_rate, training\.seed.*start a new run"):
        runs.claim(folder, config(seed=1, learning_rate=0.5))


@pytest.mark.parametrize("content", [b"run: [", b"[]", b"run: {}", b"\xff"])
def test_a_damaged_configuration_is_named(folder, content):
    folder.write("config.yaml", content)
    with pytest.raises(RunError, match=r"config\.yaml is damaged"):
        runs.read_config(folder)


def test_the_ledger_keeps_every_read_in_order(folder):
    for domain, sealed in (("A", False), ("D", True)):
        runs.record(folder, "evaluation", domain, "all", 7, "hash", sealed=sealed)
    rows = [json.loads(line) for line in folder.read("ledger.jsonl").splitlines()]
    assert [(row["domain"], row["sealed"], row["samples"]) for row in rows] == [("A", False, 7), ("D", True, 7)]


def test_a_run_without_a_model_says_to_finish_training(folder):
    runs.claim(folder, config())
    with pytest.raises(RunError, match=r"no model yet, .*; give the same `rfmeta train` command again"):
        runs.require_model(folder)
    folder.write("model/package.json", b"{}")
    runs.require_model(folder)
