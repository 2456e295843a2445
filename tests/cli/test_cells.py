"""The plan of a leave-one-out: its runs, which of them are finished, and how long the others take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.cli import cells, live
from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.runs import folder as runs_folder
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store
from tests.lighter import absent, rfmeta

PACKAGE = json.dumps({"thresholds": {"video": {"eer": 0.031}}}).encode()
OPTIONS = ("--methods", "rfmeta,no_meta", "--seeds", "0,1")


@pytest.fixture
def runs(config: Path) -> list:
    """Sixteen runs: four targets, two methods, two seeds. No folder and no data is there."""
    return targets_of(load_config(config), ["rfmeta", "no_meta"], [0, 1]).runs


def finish(run, seconds: float, evaluation: bytes = b"{}") -> Store:
    folder = runs_folder.open_folder(run)
    runs_folder.claim(folder, run)
    folder.write("metrics.jsonl", b"".join(b'{"seconds": %f}\n' % (seconds / 4) for _ in range(4)))
    folder.write(runs_folder.MODEL, PACKAGE)
    if evaluation:
        folder.write("evaluation.json", evaluation)
    return folder


def test_the_plan_needs_neither_data_nor_ray_nor_torch(config):
    settings = ("--set", "data.prefix=/nowhere", "--set", "training.workers=2")
    done = rfmeta(absent(), "loo", config, *settings, *OPTIONS, "--slots", 6, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["runs"], plan["workers"], plan["at_once"], plan["finished"]) == (16, 2, 3, 0)
    assert (plan["seconds"], plan["problem"]) == (None, "")
    assert [cell["run"] for cell in plan["cells"][:2]] == ["r-rfmeta-to_A-s0", "r-rfmeta-to_B-s0"]
    assert {cell["state"] for cell in plan["cells"]} == {"waiting"}


def test_folders_that_cannot_be_reached_are_not_needed_for_the_plan(config):
    done = rfmeta(absent(), "loo", config, "--set", "run.folder=s3://b/runs", "--slots", 4, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "4 runs (4 targets × 1 method × 1 seed)" in done.stderr
    assert "whether some are finished is not known, because the package" in done.stderr
    assert "not known" in done.stdout


def test_the_folder_of_another_run_is_reported(runs):
    finish(runs[0], 1)
    (taken,) = [run for run in runs if run.run.name == "r-rfmeta-to_A-s0"]
    other = taken.model_copy(update={"model": taken.model.model_copy(update={"width": 0.5})})
    with pytest.raises(RunError, match=r"another configuration \(different: model\.width"):
        cells.planned([other], 4, None)


def test_finished_runs_say_how_long_the_others_of_their_method_take(runs):
    finish(runs[0], 60)
    plan = cells.planned(runs, 6, None)
    assert (plan.finished, plan.at_once) == (1, 3)
    assert plan.expected == pytest.approx(15 * 60 / 3)  # what is known of one method is taken for the other
    (other,) = [run for run in runs if run.run.name == "r-no_meta-to_A-s0"]
    finish(other, 20, evaluation=b"")  # trained, and not judged
    plan = cells.planned(runs, 6, None)
    assert plan.finished == 1
    assert plan.expected == pytest.approx((7 * 60 + 7 * 20) / 3)
    assert "1 of them is finished, and is only judged again" in plan.sentence()
    assert "about 3.1 min of training are left" in plan.sentence()
    assert plan.rows()[0] == ["A", "rfmeta", "0, 1", "1 of 2"]


def test_nothing_is_expected_if_all_runs_are_finished(runs):
    for run in runs:
        finish(run, 60)
    sentence = cells.planned(runs, 6, None).sentence()
    assert sentence.endswith("16 of them are finished, and are only judged again")


def test_on_another_cluster_it_is_not_known_how_many_run_at_once(runs):
    finish(runs[0], 60)
    plan = cells.planned(runs, 3, "auto")
    assert (plan.at_once, plan.expected) == (None, None)
    assert "as many at once as the cluster holds" in plan.sentence()
    assert "a finished run was trained for 1.0 min" in plan.sentence()


def test_damaged_files_of_a_finished_run_do_not_end_the_plan(runs):
    finish(runs[0], 60).write("metrics.jsonl", b"{")
    plan = cells.planned(runs, 6, None)
    assert (plan.finished, plan.expected) == (1, None)


def test_the_state_of_a_run_is_found_in_its_folder(runs):
    run, before = runs[0], cells.Found()
    folder = runs_folder.open_folder(run)
    assert cells.change(run, before) is None
    with lease.held(folder, "trained"):
        assert cells.change(run, before) is None
    assert cells.change(run, before) == {"state": live.FAILED, "reason": cells.LATER}
    finish(run, 1, evaluation=b"")
    assert cells.change(run, before) == {"state": live.JUDGING, "validation": 0.031}
    with lease.held(folder, "judged"):
        assert cells.change(run, before) == {"state": live.JUDGING, "validation": 0.031}
    assert cells.change(run, before) == {"state": live.FAILED, "reason": cells.LATER}
    folder.write("evaluation.json", b"{}")
    assert cells.change(run, before) == {"state": live.DONE, "validation": 0.031}
