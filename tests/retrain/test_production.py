"""Production scores are read per video from the tables of `rfmeta score`, of the champion only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.deploy.package import Deployment
from rfmeta_dist.deploy.parts import SCORES, encode_csv
from rfmeta_dist.evaluation.scores import SCORER
from rfmeta_dist.retrain.production import Production, read_production
from rfmeta_dist.storage.store import open_store

CHAMPION = Deployment(
    url="models/1",
    kind="onnx",
    name="m",
    precision="fp32",
    parent="",
    scorer="5c0",
    input={},
    thresholds={},
    operating_points={},
    about={},
    files={},
    sha256="9ac",
)


def rows(video: str, *scores: float, verdict: str = "live") -> list[tuple[Any, ...]]:
    return [(video, n, score, "live", 0.0, 0.0, 9.0, 9.0, 0, 0.5, verdict) for n, score in enumerate(scores)]


def write(folder: Path, name: str, found: list[tuple[Any, ...]], package: str | None = "9ac") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(encode_csv(SCORES, found))
    if package is not None:
        (folder / "progress.json").write_text(json.dumps({"asked": {"package": package}}))


def read(folder: Path) -> Production:
    return read_production(open_store(str(folder)), CHAMPION)


def test_frames_are_pooled_per_video_and_refused_videos_left_out(tmp_path):
    day = [*rows("a", 0.2, 0.4), *rows("b", 0.9), *rows("c", 0.1, verdict="refused")]
    write(tmp_path / "monday", "scores-00000.csv", day)
    write(tmp_path / "monday", "scores-00001.csv", [])  # all files of this part were refused
    (tmp_path / "monday/left-out-00000.csv").write_text("video,frame,reason,words\n")
    write(tmp_path / "tuesday", "scores-00000.csv", rows("a", 0.5))  # another video of the same name
    found = read(tmp_path)
    assert found.score.tolist() == pytest.approx([0.3, 0.9, 0.5])
    assert (found.tables, found.unknown_model, found.other_model) == (3, 0, ())


def test_parquet_and_devices_and_other_names_of_columns(tmp_path):
    table = pa.table({"video_id": ["a", "a", "b"], "Score": [0.5, 0.7, 0.1], "device": ["x", "x", None]})
    parquet.write_table(table, tmp_path / "scores-1.parquet")
    found = read(tmp_path)
    assert found.score.tolist() == pytest.approx([0.6, 0.1])
    assert (found.device.tolist(), found.unknown_model) == (["x", ""], 1)


def test_tables_of_another_model_are_left_out_and_refused_if_there_are_no_others(tmp_path):
    write(tmp_path / "old", "scores-00000.csv", rows("a", 0.2), package="0ld")
    with pytest.raises(
        DataError, match=r"old/scores-00000.csv are of another model than the champion models/1"
    ):
        read(tmp_path)
    write(tmp_path / "new", "scores-00000.csv", rows("b", 0.3))
    found = read(tmp_path)
    assert (found.score.tolist(), found.other_model) == ([0.3], ("old/scores-00000.csv",))


def test_the_model_that_a_parquet_file_names_is_compared(tmp_path):
    table = pa.table({"video": ["a"], "score": np.array([0.5])})
    parquet.write_table(table.replace_schema_metadata({SCORER: "5c0"}), tmp_path / "scores.parquet")
    assert len(read(tmp_path).score) == 1
    with pytest.raises(DataError, match="another model"):
        read_production(open_store(str(tmp_path)), replace(CHAMPION, scorer="0ther"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1 and no more", "scores-1.csv begins like a Parquet table, but cannot be read"),
        (b"video,frame\na,1\n", "scores-1.csv has no column score; its columns are video, frame"),
        (b"video,score\na,0.5\nb,1.5\n", "row 3 of .*scores-1.csv has the score 1.5, which is not in"),
        (b"video,score\na,high\n", "row 2 of .*scores-1.csv"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, content, said):
    (tmp_path / "scores-1.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_a_place_without_tables_and_damaged_progress_are_named(tmp_path):
    with pytest.raises(DataError, match="no table of scores below"):
        read(tmp_path)
    write(tmp_path, "scores-00000.csv", rows("a", 0.5))
    (tmp_path / "progress.json").write_text("{")
    with pytest.raises(DataError, match=r"progress\.json is damaged, so it is not known which model"):
        read(tmp_path)
