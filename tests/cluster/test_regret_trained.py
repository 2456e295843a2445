"""`rfmeta tune regret` with real trainings: its figures are those of real runs, and it continues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.studies import SPACE, base

pytestmark = pytest.mark.drill


def rfmeta(*arguments: object) -> dict[str, Any]:
    program = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()"]
    done = subprocess.run(
        [*program, *map(str, arguments), "--json"], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def searched(faces: str, tmp_path: Path, **changes: Any) -> str:
    tree = {
        "name": "study",
        "folder": str(tmp_path / "studies"),
        "base": base(faces, workers=1, strategy="single"),
        "space": SPACE,
        "search": {"candidates": 2},
        "targets": ["M"],
        **changes,
    }
    file = tmp_path / "study.yaml"
    file.write_text(json.dumps(tree))
    folder: str = rfmeta("tune", file)["study"]
    return folder


def test_a_comparison_has_the_figures_of_real_runs(faces: str, tmp_path: Path):
    folder = searched(faces, tmp_path)
    report = rfmeta("tune", "regret", folder, "--seeds", 2)
    found = report["targets"]["M"]
    compared = {found["choice"], found["oracle"], found["base"]}
    assert report["trained"] == 2 + 2 * len(compared)
    assert {(row["candidate"], row["seed"]) for row in found["figures"] if row["fresh"]} == {
        (number, seed) for number in compared for seed in (2, 3)
    }
    again = rfmeta("tune", "regret", folder, "--seeds", 2)
    assert again == {**report, "trained": 0, "notices": again["notices"]}

    # The choice trained as a run of its own, with a fresh seed.
    rows = {(row["candidate"], row["seed"]): row for row in found["figures"]}
    run = [f"{folder}/choice-to_M.yaml", "--set", "training.seed=2", "--set", f"run.folder={tmp_path / 'runs'}"]
    rfmeta("train", *run)
    name = f"study-to_M-c{found['choice']}"
    rfmeta("evaluate", tmp_path / "runs" / name)
    evaluation = json.loads((tmp_path / "runs" / name / "evaluation.json").read_text())
    by_video = evaluation["figures"]["video"]
    expected = rows[found["choice"], 2]
    assert (by_video["HTER"]["value"], by_video["AUC"]["value"]) == (expected["hter"], expected["auc"])


def test_models_of_source_validation_are_judged_without_another_training(faces: str, tmp_path: Path):
    folder = searched(faces, tmp_path, selection="source_validation")
    runs = list((tmp_path / "studies/trainings").glob("without_M-s0-*"))
    assert len(runs) == 2
    assert [len(starts(run)) for run in runs] == [1, 1]
    report = rfmeta("tune", "regret", folder, "--seeds", 2)
    assert len([row for row in report["targets"]["M"]["figures"] if row["seed"] == 0]) == 2
    assert [[start["step"] for start in starts(run)] for run in runs] == [[0, 2], [0, 2]]  # of 2 steps


def starts(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "starts.jsonl").read_text().splitlines()]
