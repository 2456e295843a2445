"""`rfmeta tune` on a real Ray: trainings are found again, and nothing of a target changes its choice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pyarrow import parquet

from rfmeta_dist.cluster import trials
from rfmeta_dist.config.load import check, load_config
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning.results import FAILURES
from rfmeta_dist.tuning.study import Opened, opened
from tests.cluster.conftest import wait_until_still
from tests.tuning.studies import SPACE, base, study

TINY: dict[str, Any] = {"candidates": 1}
# Two cohorts: the first is shared by all targets, the second is learned from each target's own figures.
TPE: dict[str, Any] = {"kind": "tpe", "candidates": 6, "startup": 3, "batch": 3, "rungs": [1], "keep": 0.4}


def searched(faces: Path, search: dict[str, Any] = TINY, **changes: Any) -> Opened:
    """Do all trainings of a study with one worker each, and write its choices."""
    small = check(base(str(faces), workers=1, strategy="single"), "test")
    given = study(folder=str(faces.parent / "studies"), base=small, search=search, **changes)
    with opened(given) as found:
        place = found.manifests, found.shared.url, found.folder.sub(FAILURES)
        trials.run(found.orders, *place, lambda _: None, local=True, token=found.token)
        for target in found.plan.targets:
            found.choose(target)
    return found


def test_a_study_of_one_target(cluster: None, faces: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # One lane does all trainings: each lane starts processes that import torch. test_lanes.py has two.
    monkeypatch.setattr(trials, "at_once", lambda *_: 1)
    here = Path(shutil.copytree(faces, tmp_path / "faces"))
    shutil.rmtree(here / "M")  # the target is not read, and need not be there
    found = searched(here, targets=["M"])
    assert found.trained == 3
    config = load_config(Path(found.folder.url) / "choice-to_M.yaml")
    assert (config.data.target, sorted(config.data.sources)) == ("M", ["C", "I", "O"])
    entries = found.view("M").entries
    assert all(0 <= entry.value <= 1 for entry in entries if entry.value is not None)
    assert [sorted(entry.folds) for entry in entries] == [["C", "I", "O"]]
    assert not [name for name in found.shared.list("trainings") if "/step-" in name]  # nobody wants them
    again = searched(here, name="again", targets=["M"])
    assert again.trained == 0
    assert (
        again.folder.read("trace-to_M.jsonl").splitlines()[1:]
        == found.folder.read("trace-to_M.jsonl").splitlines()[1:]
    )


@pytest.mark.drill
@pytest.mark.parametrize("target", ["C", "I", "M", "O"])
def test_neither_labels_nor_pixels_of_a_target_change_its_choice(
    cluster: None, faces: str, tmp_path: Path, target: str
):
    """The joint study with a poisoned target, and the target's study alone where the target is absent."""
    seen = []
    for case in ("poisoned", "absent"):
        here = tmp_path / "faces"
        shutil.copytree(faces, here)
        if case == "absent":
            shutil.rmtree(here / target)
            found = searched(here, TPE, targets=[target])
            assert found.trained <= 6 * 3
        else:
            poison(here, target)
            found = searched(here, TPE)
            assert found.trained > 6 * 6
        assert any(entry.stopped for entry in found.view(target).entries)
        seen.append([found.folder.read(n) for n in (f"trace-to_{target}.jsonl", f"choice-to_{target}.yaml")])
        shutil.rmtree(here)
        shutil.rmtree(tmp_path / "studies")
    assert seen[0] == seen[1]


@pytest.mark.drill
def test_a_study_whose_driver_was_killed_twice_comes_to_the_same_choices(faces: str, tmp_path: Path):
    found = []
    for killed in (False, True):
        tree = {
            "name": "study",
            "folder": str(tmp_path / f"studies-{killed}"),
            "base": base(faces, workers=1, strategy="single"),
            "space": SPACE,
            "search": TPE,
            "targets": ["M", "O"],
        }
        file = tmp_path / f"{killed}.yaml"
        file.write_text(json.dumps(tree))
        if killed:
            for least in (8, 30):  # in the shared cohort, and in the one that was learned
                kill_when_some_figures_are_there(file, Path(tree["folder"]), least)
        done = json.loads(tune(file, "--json").communicate(timeout=600)[0])
        found.append([Path(name).read_bytes() for name in done["files"].values()])
        found[-1] += [(Path(tree["folder"]) / f"study/trace-to_{t}.jsonl").read_bytes() for t in "MO"]
    assert found[0] == found[1]


def tune(file: Path, *options: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "tune", str(file)]
    return subprocess.Popen([*program, *options], start_new_session=True, stdout=subprocess.PIPE)


def kill_when_some_figures_are_there(file: Path, folder: Path, least: int) -> None:
    process = tune(file, "--json")
    deadline = time.monotonic() + 400
    while len(list((folder / "figures").glob("*.json"))) < least:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until_still(folder)


def poison(prefix: Path, domain: str) -> None:
    """Publish the domain again with every label flipped and noise instead of pictures."""
    rows = parquet.read_table(next((prefix / domain).glob("samples-*.parquet"))).to_pylist()
    shutil.rmtree(prefix / domain)
    pack([flipped(row) for row in rows], open_store(str(prefix)), domain, contract={})


def flipped(row: dict[str, Any]) -> Sample:
    rng = generator("poison", row["key"])
    label = 1 - row["label"]
    noise = rng.integers(0, 256, (row["height"], row["width"], 3), np.uint8)
    depth = np.full((32, 32), 200 * label, np.uint8)
    return Sample(
        key=row["key"],
        domain=row["domain"],
        split=row["split"],
        label=label,
        attack_type="live" if label else "print",
        subject=row["subject_id"],
        video=row["video_id"],
        frame=row["frame_index"],
        image=cv2.imencode(".png", noise)[1].tobytes(),
        image_ext="png",
        depth=cv2.imencode(".png", depth)[1].tobytes(),
    )
