"""What names and tables tell about real recordings is in the published domain, and sorts its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from rfmeta_dist.core.about import from_text
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation import slices
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.store import open_store
from tests.cluster.test_ingest import clean, whole
from tests.cluster.test_own_data import folder, ingest

__all__ = ["clean", "folder", "ingest", "whole"]

pytestmark = pytest.mark.usefixtures("cluster", "faces_installed")


def test_clips_of_an_official_layout_have_camera_and_medium(whole: Path):
    samples = Manifest.open(open_store(str(whole)), "M").samples
    rows = {row["video_id"]: from_text(row["about"]) for row in samples.to_pylist()}
    assert rows["M-real_client055_android_SD_scene01"] == {"device": "android", "session": "1"}
    shown = rows["M-attack_client001_laptop_SD_iphone_video_scene01"]
    assert shown == {"device": "laptop", "session": "1", "medium": "iphone_video"}
    scores = Scores.of(samples, samples["key"], np.zeros(len(samples)))
    found = slices.compute(scores, 0.5)  # rejects everybody
    assert found is not None
    live = {row["value"]: row for row in found["rows"] if row["type"] == "live"}
    assert (live["laptop"]["errors"], live["laptop"]["recordings"], live["laptop"]["subjects"]) == (4, 4, 2)


def test_a_table_keeps_rooms_and_what_is_named_of_people(folder: Path, ingest, tmp_path: Path):
    header, *rows = (folder / "labels.csv").read_bytes().decode("utf-8-sig").splitlines()
    told = [f"{row},Büro;{n % 2},{'fm'[n % 2]}" for n, row in enumerate(rows)]
    (folder / "labels.csv").write_text("\n".join([f"{header},Room,Gender", *told]))
    code, _, said = ingest(folder)
    assert code == 0, said
    assert "left out, because they describe people: gender" in said
    store = open_store(str(tmp_path / "out"))
    first = Manifest.open(store, "F").samples
    assert set(pc.unique(first["about"].cast("string")).to_pylist()) == {
        f'{{"room":"Büro;{n}"}}' for n in (0, 1)
    }
    code, _, said = ingest(folder, "--with", "gender")
    assert code == 0, said
    again = Manifest.open(store, "F").samples
    assert {from_text(text)["gender"] for text in again["about"].to_pylist()} == {"f", "m"}
    code, _, said = ingest(folder, "--with", "shoe size")
    assert (code, "Traceback" in said) == (3, False), said
    assert "--with shoe size: this is none of the further columns of labels.csv; it has room, gender" in said
