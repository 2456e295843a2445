"""`rfmeta tune regret`: what it needs, what it refuses, and what it prints. Its trainings are made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.lighter import absent, rfmeta
from tests.stored import SHARDS
from tests.tuning.comparisons import compared, searched


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return searched(Path(shutil.copytree(SHARDS, tmp_path / "faces")))


def test_the_plan_looks_at_no_label_and_needs_neither_data_nor_ray_nor_torch(folder: str):
    shutil.rmtree(Path(folder).parents[1] / "faces")
    done = rfmeta(absent(), "tune", "regret", folder, "--dry-run", "--json", "--fresh-seeds", "4")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    # Three candidates with the seed of the search; oracle, choice and base with four fresh seeds.
    assert (plan["trainings"], plan["fresh_seeds"]) == (4 * (3 + 3 * 4), [2, 3, 4, 5])
    assert not (Path(folder) / "ledger.jsonl").exists()
    said = rfmeta(absent(), "tune", "regret", folder, "--dry-run")
    assert "at most 48 trainings" in said.stderr


def test_a_comparison_whose_trainings_are_done_starts_nothing_and_is_printed(folder: str):
    report = compared(folder)
    done = rfmeta({"ray", "torch"}, "tune", "regret", folder, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert {name: printed[name] for name in report} == report
    assert (printed["trained"], printed["file"]) == (0, f"{folder}/regret.json")
    assert "How good the choices are" in (Path(folder) / "study.html").read_text()
    said = rfmeta({"ray", "torch"}, "tune", "regret", folder)
    assert said.returncode == 0, said.stderr
    assert "-30.0 ± 0.0 (-30.0…-30.0)" in said.stdout  # the base has 40 %, the choice 10 %
    assert "fresh seeds 2, 3, 4" in said.stderr.replace("\n", " ")


def test_show_says_that_targets_were_opened_and_whether_the_choice_was_made_before(folder: str):
    compared(folder)
    said = " ".join(rfmeta(absent(), "tune", "show", folder).stdout.split())
    assert said.count("looked at by `rfmeta tune regret`") == 4
    assert said.count("after this was chosen") == 4
    searched(Path(folder).parents[1] / "faces", search={"candidates": 5})
    said = " ".join(rfmeta(absent(), "tune", "show", folder).stdout.split())
    assert said.count("before this was chosen, so the choice may depend on them") == 4
    told = json.loads(rfmeta(absent(), "tune", "show", folder, "--json").stdout)
    assert sorted(told["opened"]) == list("CIMO")


def test_a_changed_choice_is_one_line_and_nothing_is_opened(folder: str):
    file = Path(folder) / "choice-to_M.yaml"
    file.write_text(file.read_text() + "# mine\n")
    done = rfmeta({"ray", "torch"}, "tune", "regret", folder)
    assert done.returncode != 0
    assert "is not what the study chose" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (Path(folder) / "ledger.jsonl").exists()


def test_a_folder_without_a_study_is_named(tmp_path: Path):
    for options in ([], ["--dry-run"]):
        done = rfmeta(absent(), "tune", "regret", str(tmp_path), *options)
        assert done.returncode != 0
        assert "there is no study at" in done.stderr
