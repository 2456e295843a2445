"""An error about a label table names the line and column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from tests.ingest.label_tables import FOLDER, table
from tests.ingest.layout_trees import touch, write

WRONG = {
    "label": ("a.mp4,yes,,ann,,train,", "line 2, column label: 'yes' is not one of live, real, bonafide"),
    "minus": ("a.mp4,-1,,ann,,train,", "line 2, column label: '-1' is not one of"),
    "no label": ("a.mp4,,,ann,,train,", "line 2, column label: '' is not one of"),
    "live attack": ("a.mp4,1,print,ann,,train,", "line 2, column attack_type: 'print' contradicts"),
    "attack of type live": (
        "a.mp4,0,live,ann,,train,",
        "line 2, column attack_type: 'live' is not an attack type",
    ),
    "no word": (
        "a.mp4,0,??,ann,,train,",
        r"line 2, column attack_type: '\?\?' is not an attack type; use print",
    ),
    "no subject": ("a.mp4,1,,,,train,", "line 2, column subject: it is empty; say who is shown"),
    "split": ("a.mp4,1,,ann,,eval,", "line 2, column split: 'eval' is not one of train, training, validation"),
    "climbing": ("../a.mp4,1,,ann,,train,", "line 2, column path: '../a.mp4' is not a path below"),
    "absolute": ("/a.mp4,1,,ann,,train,", "line 2, column path"),
    "a drive": (r"C:\a.mp4,1,,ann,,train,", r"line 2, column path: 'C:\\a.mp4' is not a path below"),
    "no path": (",1,,ann,,train,", "line 2, column path"),
    "not media": (
        "a.heic,1,,ann,,train,",
        r"line 2, column path: 'a.heic' is neither an image nor a video by its ending \(jpg, jpeg, png",
    ),
    "depth out of the tree": ("i1.jpg,1,,ann,,train,../d.png", "line 2, column depth"),
    "depth of a video": ("a.mp4,1,,ann,,train,d.png", "line 2, column depth: 'a.mp4' is a video"),
    "cells": ("a.mp4,1,,ann,train", "line 2: 5 cells, but the header has 7"),
    "a comma": ("a.mp4,1,,Lee, Ann,v,train,d.png", "line 2: 8 cells, but the header has 7"),
}
CONTRADICTIONS = {
    "a path twice": (("a.mp4,1,,ann,,train,", "./A.mp4,1,,ann,,train,"), "lines 2 and 3, column path"),
    "two splits": (("b/c.mp4,1,,ann,,train,", "a.mp4,1,,ann,,test,"), "lines 2 and 3, column split: 'ann'"),
    "some splits": (("a.mp4,1,,ann,,train,", "b/c.mp4,1,,bob,,,"), "line 3, column split: ''"),
    "one name": (
        ("a.mp4,1,,ann,v,train,", "b/c.mp4,1,,ann,v,train,"),
        "lines 2 and 3, column video: 'v' also names another file, and only images can share a clip; .*video",
    ),
    "two people in a clip": (
        ("i1.jpg,1,,ann,v,train,", "i2.jpg,1,,bob,v,train,"),
        "lines 2 and 3, column video: the two images of clip 'v' differ in subject or .*; .* a name of its own",
    ),
    "half a clip live": (
        ("i1.jpg,1,,ann,v,train,", "i2.jpg,0,print,ann,v,train,"),
        "lines 2 and 3, column video: the two images of clip 'v' differ",
    ),
}


@pytest.mark.parametrize(("row", "problem"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_in_the_table_names_line_and_column(tmp_path: Path, row: str, problem: str):
    with pytest.raises(DataError, match=f"labels.csv, {problem}"):
        table(tmp_path, row)


@pytest.mark.parametrize(("rows", "problem"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_lines_that_contradict_each_other_are_both_named(tmp_path: Path, rows: tuple[str, ...], problem: str):
    with pytest.raises(DataError, match=f"labels.csv, {problem}"):
        table(tmp_path, *rows)


def test_the_first_mistake_in_the_file_is_the_one_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"labels.csv, line 2, column label: 'x'"):
        table(tmp_path, "b/c.mp4,x,,ann,,train,", "a.mp4,y,,ann,,train,")


def test_a_table_needs_its_columns(tmp_path: Path):
    with pytest.raises(DataError, match="line 1: the header lacks column label, subject"):
        table(tmp_path, "a.mp4,1", header="path,class\n")
    with pytest.raises(DataError, match="has column label twice"):
        table(tmp_path, "a.mp4,1,,ann,1", header="path,label,attack_type,subject,label\n")
    with pytest.raises(DataError, match="no lines"):
        table(tmp_path)


def test_a_table_written_as_the_error_about_a_missing_one_says_is_accepted(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no labels\.csv") as caught:
        FOLDER.find(tmp_path)
    (header,) = re.findall("begins with the line ([^ ]+) ", caught.value.remedy)
    (line,) = re.findall("such as ([^ ]+);", caught.value.remedy)
    write(tmp_path / "labels.csv", f"{header}\n{line}\n")
    touch(tmp_path / line.split(",")[0])
    (found,) = FOLDER.find(tmp_path)
    assert (found.label, found.attack_type, found.subject) == (0, "print", "F-anna")
