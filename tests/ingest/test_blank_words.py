"""Words that programs write into empty cells are no names, and other odd words are names."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from tests.ingest.label_tables import FOLDER, HEADER, one, table
from tests.ingest.layout_trees import touch, write

BLANK = [
    "nan",
    "NaN",
    "None",
    "NA",
    "N/A",
    "n/a",
    "null",
    "NULL",
    "#N/A",
    "<NA>",
    "NaT",
    "-",
    "--",
    "\u2013",
    "?",
]
BLANK += ["  nan ", "\u00a0None\u200b", "\uff2e\uff21", r"\N", "#NULL!", "1.#QNAN", "unknown", "(null)"]
WORDS = ["NO", "no", "yes", "true", "False", "on", "1_1_1", "1e5", "0x1F", "Nana", "Nan-li", "Anan", "inf"]
WORDS += ["2026-11-28", "12-30-00", "1-1", "N", "None-1", "NULL2"]


@pytest.mark.parametrize("word", BLANK)
def test_a_word_for_an_empty_cell_is_no_person(tmp_path: Path, word: str):
    with pytest.raises(
        DataError, match=r"line 2, column subject: '.+' counts as an empty cell.*say who is shown"
    ):
        table(tmp_path, f"a.mp4,1,,{word},,train,")


@pytest.mark.parametrize("word", BLANK)
def test_in_other_columns_it_is_as_good_as_nothing_and_that_is_said(tmp_path: Path, word: str):
    rows = [f"i1.jpg,1,{word},ann,{word},{word},{word}", f"i2.jpg,0,{word},ann,{word},{word},{word}"]
    words = table(tmp_path, *rows)
    empty = table(tmp_path, "i1.jpg,1,,ann,,,", "i2.jpg,0,,ann,,,")
    assert words.recordings == empty.recordings
    assert [r.video for r in words.recordings] == ["mine-i1", "mine-i2"]
    said = [note for note in words.notes if "counts as an empty cell" in note]
    assert [note.split(":")[0] for note in said] == [
        f"labels.csv, column {column}" for column in ("attack_type", "video", "split", "depth")
    ]
    assert all(f"'{word.strip()}'".replace("\u200b", "") in n.replace("\u00a0", "") for n in said)
    assert "(line 2 and 1 more)" in said[0]


@pytest.mark.parametrize("word", BLANK)
def test_a_label_or_some_splits_cannot_be_empty_and_the_cell_is_named(tmp_path: Path, word: str):
    with pytest.raises(DataError, match=r"line 2, column label: '.+' is not one of live"):
        table(tmp_path, f"a.mp4,{word},,ann,,train,")
    with pytest.raises(DataError, match=r"line 3, column split: '.+' is not one of train"):
        table(tmp_path, "a.mp4,1,,ann,,train,", f"b/c.mp4,1,,bob,,{word},")


@pytest.mark.parametrize("word", WORDS)
def test_a_name_is_a_word_whatever_it_looks_like(tmp_path: Path, word: str):
    found = one(tmp_path, f"i1.jpg,1,,{word},{word},train,")
    assert (found.subject, found.video) == (f"mine-{word}", f"mine-{word}")


def test_files_and_folders_may_be_called_as_they_like(tmp_path: Path):
    names = ["nan.png", "None/NA.png", "null/1e5.png", "0123.png", "-/no.png"]
    for name in names:
        touch(tmp_path / name)
    write(tmp_path / "labels.csv", HEADER + "".join(f"{name},1,,ann,,train,\n" for name in names))
    found = FOLDER.find(tmp_path)
    assert sorted(r.path for r in found) == sorted(names)
    assert len({r.video for r in found}) == len(names)
