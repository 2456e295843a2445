"""`rfmeta loo` as typed: exit codes, its page, what finished beside what failed, and one target alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rfmeta_dist.cli import paper_tables
from rfmeta_dist.cli.leave_one_out import as_dict
from rfmeta_dist.cluster.leave_one_out import Outcome
from rfmeta_dist.config.held_out import Asked, targets_of
from rfmeta_dist.config.load import load_config
from rfmeta_dist.config.made import Refused
from rfmeta_dist.core.errors import ConfigError, DataError, RunError, StorageError
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import open_store
from tests.stored import SHARDS

DOMAINS = ("data.sources=[A,B]", "data.target=C", "training.workers=1", "training.steps=2")
QUICK = [part for setting in DOMAINS for part in ("--set", setting)]


def test_an_unknown_target_is_named_before_ray_starts(rfmeta, config):
    ending = rfmeta("loo", config, *QUICK, "--targets", "C,E")
    assert ending.code == ConfigError.exit_code
    assert "target 'E' is none of the configuration's domains A, B, C; write --targets A" in ending.error


def test_a_store_that_refuses_every_run_ends_the_command_with_its_exit_code(rfmeta, config):
    ending = rfmeta("loo", config, *QUICK, "--set", "run.folder=s3://bucket/runs", "--targets", "C")
    assert ending.code == StorageError.exit_code
    assert "no credentials" in ending.error
    assert "set AWS_ACCESS_KEY_ID" in ending.error


@pytest.mark.drill  # test_leave_one_out.py has the runs, test_loo_page.py the page
def test_a_run_that_fails_is_named_and_the_others_are_judged(rfmeta, config, tmp_path: Path):
    faces = Path(shutil.copytree(SHARDS, tmp_path / "faces"))
    for shard in (faces / "C/test").rglob("*.tar"):  # which is read only where C is the target
        shard.unlink()
    settings = (f"data.prefix={faces}", "data.sources=[O,C]", "data.target=M", "data.image_size=32")
    options = [part for setting in settings for part in ("--set", setting)]
    ending = rfmeta("loo", config, *QUICK, *options, "--targets", "M,C", "--slots", 2)
    assert ending.code == DataError.exit_code
    assert "C/test/" in ending.error
    assert "failed: r-rfmeta-to_C-s0: " in ending.err
    assert "failed: r-rfmeta-to_M-s0" not in ending.err
    assert "C&O→M" in ending.out
    assert "2 runs (2 targets × 1 method × 1 seed) with 1 worker each; at most 2 at once" in ending.err
    assert "train → r-rfmeta-to_M-s0  2/2  loss" in ending.err
    page = (tmp_path / "runs/r-leave_one_out.html").read_text()
    assert "1 of 2 runs is missing" in page
    assert "M&amp;O→C, rfmeta, seed 0: " in page
    assert page.count("<svg ") == 1

    plan = rfmeta("loo", config, *QUICK, *options, "--targets", "M,C", "--slots", 2, "--dry-run", "--json")
    planned = json.loads(plan.out)
    assert {cell["target"]: cell["state"] for cell in planned["cells"]} == {"C": "trained", "M": "done"}
    assert planned["finished"] == 1


def test_every_run_is_a_cell_of_the_json_output(config):
    failed, done = targets_of(load_config(config, DOMAINS), [], [3], ["A", "C"]).runs
    video = {"HTER": {"value": 0.2}, "AUC": {"value": 0.9}}
    found = as_dict(
        [
            Outcome(failed, error=RunError("the disk is full", "free some space")),
            Outcome(done, 10.0, 25.0, {"figures": {"video": video}}),
        ]
    )
    assert [list(cell.values()) for cell in found["cells"]] == [
        ["r-rfmeta-to_A-s3", "A", "rfmeta", 3, "failed", "the disk is full; free some space", None, None, None],
        ["r-rfmeta-to_C-s3", "C", "rfmeta", 3, "done", None, 15.0, 0.2, 0.9],
    ]
    assert list(found["times"]) == ["r-rfmeta-to_C-s3"]
    assert list(found["failed"]) == ["r-rfmeta-to_A-s3"]


def test_a_run_that_cannot_be_made_is_a_failed_cell_with_its_reason(config):
    (done,) = targets_of(load_config(config, DOMAINS), [], [3], ["A"]).runs
    refused = Refused("C", ["A", "B"], "no_depth", 3, ConfigError("it cannot", "set this"))
    asked = Asked([done], "page.html", refused=[refused], tables="tables.html")
    video = {"HTER": {"value": 0.2}, "AUC": {"value": 0.9}}
    kept = Outcome(done, evaluation={"figures": {"video": video}})  # it was finished before
    found = as_dict([kept], asked)
    assert [(cell["method"], cell["state"], cell["reason"]) for cell in found["cells"]] == [
        ("rfmeta", "done", None),
        ("no_depth", "failed", "it cannot; set this"),
    ]
    assert (found["times"], found["failed"]) == ({}, {})
    (missing,) = paper_tables.missing_of(asked.refused)
    assert (missing.split, missing.reason) == ("A&B→C", "it cannot")


@pytest.mark.drill
def test_a_page_that_was_not_written_is_not_named(rfmeta, config, tmp_path: Path):
    with lease.held(open_store(str(tmp_path / "runs/r-rfmeta-to_C-s0")), "trained"):
        ending = rfmeta("loo", config, *QUICK, "--targets", "C", "--slots", 1, "--json")
    assert ending.code == RunError.exit_code
    found = json.loads(ending.out)
    assert (found["page"], found["evaluations"], found["notices"]) == (None, [], [])
    assert "is being trained already" in found["failed"]["r-rfmeta-to_C-s0"]
    assert [(cell["target"], cell["state"]) for cell in found["cells"]] == [("C", "failed")]
    assert not (tmp_path / "runs/r-leave_one_out.html").exists()
