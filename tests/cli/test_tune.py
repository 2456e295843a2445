"""`rfmeta tune` before anything is trained: the plan, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.lighter import absent, rfmeta

EXAMPLE = "jobs/configs/study.yaml"


def test_the_plan_needs_neither_data_nor_ray_nor_torch():
    done = rfmeta(absent(), "tune", EXAMPLE, "--dry-run", "--json", "--set", "seeds=[0,1]")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["trainings"] == 6 * plan["candidates"] * 2
    assert len(plan["values"]) == plan["candidates"]
    assert plan["values"][0] == {}


def test_the_plan_of_one_target_in_words():
    done = rfmeta(
        absent(), "tune", EXAMPLE, "--dry-run", "--set", "targets=[M]", "--set", "search.candidates=3"
    )
    assert done.returncode == 0, done.stderr
    assert "3 candidates × 1 seed need 9 trainings" in done.stderr
    assert "as in the base" in done.stdout


def test_a_mistake_is_one_line_and_nothing_is_started(tmp_path: Path):
    done = rfmeta(
        absent(),
        "tune",
        EXAMPLE,
        "--set",
        "space.training.workers={int: [1, 2]}",
        "--set",
        f"folder={tmp_path}",
    )
    assert done.returncode == 2
    assert "training.workers" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
