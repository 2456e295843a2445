"""Files that lie: the terminal, the JSON result and the manifest say what was turned and what was left."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.storage.store import open_store
from tests.ingest.clips import moving, scene, write_clip, write_still

pytestmark = pytest.mark.usefixtures("cluster", "faces_installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people upright, a photo on its side, a clip upside down, and one whose camera fell over."""
    root = tmp_path / "ours"
    write_still(root / "a.png", scene((0, 140, 80)))
    write_still(root / "b.png", scene((1, 140, 80)))
    write_still(root / "side.png", np.rot90(scene((2, 140, 80))))
    write_clip(root / "down.mp4", [picture[::-1, ::-1] for picture in moving(0, 4)])
    standing = scene((1, 140, 80), width=480, height=480)
    write_clip(root / "fell.avi", [standing, standing, standing, np.rot90(standing)], codec="mjpeg")
    subjects = {
        "a.png": "train",
        "b.png": "validation",
        "side.png": "test",
        "down.mp4": "train",
        "fell.avi": "test",
    }
    rows = [f"{path},live,,{path[0]},{split}" for path, split in subjects.items()]
    (root / "labels.csv").write_text("\n".join(["path,label,attack_type,subject,split", *rows]))
    return root


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *options: str) -> None:
    from rfmeta_dist.cli import main

    command = ["rfmeta", "ingest", "folder", str(folder), "--every", "1", "--size", "64", "--workers", "2"]
    monkeypatch.setattr(sys, "argv", [*command, *options])
    with pytest.raises(SystemExit) as ending:
        main()
    assert not ending.value.code


def test_what_was_turned_is_said_everywhere(folder, tmp_path, monkeypatch, capsys):
    run(monkeypatch, folder, "--out", str(tmp_path / "out"))
    said = capsys.readouterr().err
    assert "turned by 90° clockwise, as its faces lay on their side or upside down: side.png\n" in said
    assert "turned by 180° clockwise, as its faces lay on their side or upside down: down.mp4\n" in said
    assert "not turned, but a face may lie on its side or upside down: fell.avi, frames 3\n" in said
    assert "a.png" not in said
    run(monkeypatch, folder, "--out", str(tmp_path / "again"), "--json")
    result = json.loads(capsys.readouterr().out)
    assert (result["turned"], result["lying"]) == ({"side.png": 90, "down.mp4": 180}, {"fell.avi": [3]})
    turned = Manifest.open(open_store(str(tmp_path / "out")), "F").contract["turned_as_faces_lay"]
    assert turned == {"side.png": 90, "down.mp4": 180}
    for name in ("side.png", "down.mp4", "fell.avi"):
        (folder / name).unlink()
    run(monkeypatch, folder, "--out", str(tmp_path / "upright"), "--accept-counts")
    assert "turned_as_faces_lay" not in Manifest.open(open_store(str(tmp_path / "upright")), "F").contract
