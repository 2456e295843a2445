"""A checkpoint is taken for another run's only if something that decides the weights differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from rfmeta_dist.config import schema
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.training import Training as OfToday
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.runs.fingerprint import fingerprint, first_fingerprint
from rfmeta_dist.storage.store import open_store

BEFORE = Path(__file__).parent.parent / "fixtures/before_renames"
DATA = {"A": "1", "B": "2", "C": "3"}


def config(**sections: dict[str, Any]) -> Config:
    tree: dict[str, Any] = {
        "run": {"name": "r"},
        "data": {"prefix": "x", "sources": ["A", "B", "C"], "target": "D"},
    }
    for name, fields in sections.items():
        tree[name] = {**tree.get(name, {}), **fields}
    return check(tree, "test")


@pytest.mark.parametrize("run", ["finished", "interrupted"])
def test_checkpoints_of_the_first_version_are_recognised(run):
    folder = BEFORE / "runs" / run
    of_then = check(yaml.safe_load((folder / "config.yaml").read_text()), "fixture")
    shards = open_store(str(BEFORE / "shards"))
    hashes = {name: Manifest.open(shards, name).fingerprint for name in of_then.data.sources}
    checkpoints = sorted(folder.glob("step-*/state.json"))
    assert checkpoints
    for state in checkpoints:
        assert json.loads(state.read_text())["fingerprint"] == first_fingerprint(of_then, hashes)


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"target": "E"}},
        {"data": {"prefix": "s3://elsewhere/faces"}},
        {"data": {"cache_gb": 0}},
        {"run": {"folder": "elsewhere"}},
        {"training": {"workers": 1, "strategy": "single"}},
        {"training": {"threads": 2, "gpus": 1, "checkpoint_every": 3}},
        {"training": {"deterministic": True}},
        {"evaluation": {"target_split": "test"}},
        {"evaluation": {"protocol": "limited-source"}},
    ],
)
def test_what_does_not_decide_the_weights_is_no_part_of_it(other):
    assert fingerprint(config(**other), DATA) == fingerprint(config(), DATA)


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"sources": ["A", "C", "B"]}},
        {"data": {"augmentation": {}}},
        {"data": {"batch": 4}},
        {"model": {"width": 0.5}},
        {"method": {"inner_steps": 2}},
        {"method": {"name": "first_order"}},
        {"training": {"seed": 1}},
        {"training": {"bf16_reduce": True}},
        {"training": {"precision": "tf32", "gpus": 1}},
        {"episode": {"domains": 2}},
    ],
)
def test_whatever_decides_the_weights_changes_it(other):
    assert fingerprint(config(**other), DATA) != fingerprint(config(), DATA)


def test_the_data_are_part_of_it_in_any_order():
    same = fingerprint(config(), DATA)
    assert fingerprint(config(), dict(reversed(DATA.items()))) == same
    assert fingerprint(config(), {**DATA, "B": "4"}) != same


def test_a_field_added_later_counts_only_where_it_is_set():
    """Runs of before it have it at its default, and must keep their fingerprints."""

    class Training(OfToday):
        momentum: float = Field(0.0, ge=0)

    class Augmentation(schema.Augmentation):
        grain: float = Field(0.0, ge=0)

    def extended(momentum: float, grain: float) -> Config:
        old = config(data={"augmentation": {"flip": 0.1}})
        training = Training(**old.training.model_dump(), momentum=momentum)
        augmentation = Augmentation(**old.data.augmentation.model_dump(), grain=grain)
        data = old.data.model_copy(update={"augmentation": augmentation})
        return old.model_copy(update={"training": training, "data": data})

    before = config(data={"augmentation": {"flip": 0.1}})
    assert fingerprint(extended(0.0, 0.0), DATA) == fingerprint(before, DATA)
    assert len({fingerprint(extended(m, g), DATA) for m in (0.0, 0.9) for g in (0.0, 0.1)}) == 4


def test_each_protocol_within_a_domain_is_training_of_its_own():
    found = [
        check(
            {
                "run": {"name": "r"},
                "data": {"prefix": "x", "within": within},
                "method": {"name": "no_meta"},
                "training": {"workers": 1},
            },
            "test",
        )
        for within in ("A/1", "A/3_1", "A/3_2")
    ]
    assert len({fingerprint(one, {"A": "1"}) for one in found}) == 3


def test_the_model_that_a_run_begins_with_is_part_of_it_by_its_content():
    here, there = (config(training={"start": place}) for place in ("runs/a", "s3://models/a"))
    assert fingerprint(here, DATA, "1") == fingerprint(there, DATA, "1")
    assert len({fingerprint(here, DATA, "1"), fingerprint(here, DATA, "2"), fingerprint(config(), DATA)}) == 3
    for settings, start in ((here, None), (config(), "1")):
        with pytest.raises(ValueError, match="the hash of its content"):
            fingerprint(settings, DATA, start)
