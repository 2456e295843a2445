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
from rfmeta_dist.tuning.study import Opened, opened
from tests.cluster.conftest import wait_until_still
from tests.tuning.studies import SPACE, base, study


def searched(faces: Path, **changes: Any) -> tuple[Opened, int]:
    """Do all trainings of a study with one worker each; return it, and how many trainings were done."""
    small = check(base(str(faces), workers=1, strategy="single"), "test")
    with opened(
        study(folder=str(faces.parent / "studies"), base=small, search={"candidates": 2}, **changes)
    ) as found:
        pending = found.pending()
        place = (found.manifests, found.shared.url, found.failures)
        trials.run(found.orders, *place, lambda _: None, local=True, token=found.lease)
        for target in found.plan.targets:
            found.choose(target)
    return found, len(pending)


def test_a_study_of_one_target(cluster: None, faces: str, tmp_path: Path):
    here = Path(shutil.copytree(faces, tmp_path / "faces"))
    shutil.rmtree(here / "M")  # the target is not read, and need not be there
    found, done = searched(here, targets=["M"])
    assert done == 6
    config = load_config(Path(found.folder.url) / "choice-to_M.yaml")
    assert (config.data.target, sorted(config.data.sources)) == ("M", ["C", "I", "O"])
    scored = found.scores("M")
    assert all(0 <= score.value <= 1 for score in scored)
    assert sorted(scored[0].folds) == ["C", "I", "O"]
    again, repeated = searched(here, name="again", targets=["M"])
    assert repeated == 0
    assert (
        again.folder.read("trace-to_M.jsonl").splitlines()[1:]
        == found.folder.read("trace-to_M.jsonl").splitlines()[1:]
    )


@pytest.mark.drill
def test_neither_labels_nor_pixels_of_a_target_change_its_choice(cluster: None, faces: str, tmp_path: Path):
    """The joint study with a poisoned target, and the target's study alone where the target is absent."""
    seen = []
    for case in ("poisoned", "absent"):
        here = tmp_path / "faces"
        shutil.copytree(faces, here)
        if case == "absent":
            shutil.rmtree(here / "M")
            found, done = searched(here, targets=["M"])
            assert done == 6
        else:
            poison(here, "M")
            found, done = searched(here)
            assert done == 12
        seen.append([found.folder.read(name) for name in ("trace-to_M.jsonl", "choice-to_M.yaml")])
        shutil.rmtree(here)
        shutil.rmtree(tmp_path / "studies")
    assert seen[0] == seen[1]


@pytest.mark.drill
def test_a_study_whose_driver_was_killed_comes_to_the_same_choices(faces: str, tmp_path: Path):
    found = []
    for killed in (False, True):
        tree = {
            "name": "study",
            "folder": str(tmp_path / f"studies-{killed}"),
            "base": base(faces, workers=1, strategy="single"),
            "space": SPACE,
            "search": {"candidates": 2},
            "targets": ["M", "O"],
        }
        file = tmp_path / f"{killed}.yaml"
        file.write_text(json.dumps(tree))
        if killed:
            kill_when_some_figures_are_there(file, Path(tree["folder"]), 4)
        done = json.loads(tune(file, "--json").communicate(timeout=600)[0])
        assert (done["trainings"], done["trained"] < 10) == (10, killed)
        found.append([Path(name).read_bytes() for name in done["files"].values()])
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
