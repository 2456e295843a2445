"""The names that people and clips of a batch get."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.batch import survey_batch
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.layout import Survey

FOLDER = LAYOUTS["folder"]
LINES = ("a.mp4,live,1,001_live", "b.mp4,attack,1,001_print", "c.mp4,live,Zoe,002", "d.mp4,live,ZOE,003")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for line in LINES:
        (tmp_path / line.split(",")[0]).write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,subject,video", *LINES]) + "\n")
    return tmp_path


def joined(source: Path, same_people: bool, batch: str = "may") -> Survey:
    return survey_batch(FOLDER, source, "O", batch, same_people=same_people)


def test_clips_carry_the_name_of_the_batch_and_people_do_unless_they_are_the_domains(source: Path):
    own = FOLDER.survey(source, "O")
    for same_people, prefix in ((False, "O-may-"), (True, "O-")):
        found = joined(source, same_people)
        assert [r.video for r in found.recordings] == [r.video.replace("O-", "O-may-") for r in own.recordings]
        assert [r.subject for r in found.recordings] == [
            r.subject.replace("O-", prefix) for r in own.recordings
        ]
        assert {r.domain for r in found.recordings} == {"O"}
        # The same person gets the same split, whatever the batch is called.
        assert [r.split for r in found.recordings] == [r.split for r in own.recordings]
        (note,) = (note for note in found.notes if "spelling" in note)
        assert note.endswith(f"{prefix}Zoe, {prefix}ZOE")


def test_a_name_that_is_too_long_for_a_shard_is_refused_before_the_work(source: Path):
    lines = [*LINES, f"a{'b' * 60}.mp4,live,1,{'v' * 64}"]
    (source / lines[-1].split(",")[0]).write_bytes(b"x")
    (source / "labels.csv").write_text("\n".join(["path,label,subject,video", *lines]) + "\n")
    assert joined(source, False).recordings
    with pytest.raises(DataError, match="has a name of 85 characters, but 84 are possible"):
        joined(source, False, "a-batch-of-june-26")
