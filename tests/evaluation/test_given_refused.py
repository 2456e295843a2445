"""Tables of scores that cannot be judged are refused in one line, with the row and what to do."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pytest

from rfmeta_dist.core.errors import DataError
from tests.score_tables import HEAD, LINES, TABLE, as_parquet, understood


def changed(old: str, new: str) -> str:
    assert old in TABLE
    return TABLE.replace(old, new, 1)


def edited(*pairs: str) -> str:
    text = TABLE
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    return text


SEMICOLONS = TABLE.replace(",", ";")
NO_TYPES = "\n".join(
    [LINES[0].replace("attack_type,", ""), *(",".join(np.delete(r.split(","), 3)) for r in LINES[1:])]
)
PACKED = gzip.compress(TABLE.encode() * 50)
REFUSED = {
    "no bytes": (b"", ["t.csv is empty"]),
    "only a header": (HEAD, ["no row of scores"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", ["a binary file, not text", "CSV"]),
    "a workbook": (b"PK\x03\x04\0\0", ["an Excel workbook", "CSV"]),
    "another encoding": (changed("print", "présenté").encode("latin-1"), ["not text in UTF-8", "UTF-8"]),
    "half of a compressed file": (PACKED[: len(PACKED) // 2], ["damaged", "copy it again"]),
    "half of a Parquet file": (as_parquet(score=[1.0])[:60], ["Parquet", "cannot be read"]),
    "a Parquet file without rows": (
        as_parquet(video=pa.array([], pa.string()), label=pa.array([], pa.string()), score=pa.array([], "f8")),
        ["no row of scores"],
    ),
    "one column": ("score\n1\n", ["has no column video"]),
    "a column that is missing": (TABLE.replace("score", "scroe"), ["no column score", "--column score=scroe"]),
    "two columns of a name": (TABLE.replace("split", "label"), ["2 columns called label"]),
    "a row that is too short": (changed(",0.2", ""), ["row 3", "5 cells", "6"]),
    "a row that is too long": (changed("0.2", "0,2"), ["row 3", "7 cells"]),
    "an open quote": (changed("b,p1", '"b,p1'), ["not a table in CSV format"]),
    "no score": (changed("0.2", ""), ["row 3 of t.csv has no score"]),
    "a word as score": (changed("0.2", "low"), ["row 3", "'low'", "not a number"]),
    "underscores": (changed("0.2", "1_0"), ["row 3", "'1_0'", "not a number"]),
    "wide digits": (changed("0.2", "\uff10.2"), ["row 3", "'\uff10.2'", "not a number"]),
    "wide digits with commas": (SEMICOLONS.replace("0.", "\uff10,"), ["row 2", "'\uff10,9'"]),
    "a number too large for a float": (changed("0.2", "1e400"), ["row 3", "inf", "not a finite number"]),
    "a percentage": (changed("0.2", "20 %"), ["row 3", "'20 %'"]),
    "NaN": (changed("0.2", "NaN").replace("0.4", "nan"), ["row 3", "nan", "1 other rows"]),
    "infinity": (changed("0.2", "-inf"), ["row 3", "-inf"]),
    "thousands": (SEMICOLONS.replace("0.", "1,00").replace("1,0075", "1,007"), ["row 2", "thousands"]),
    "points and commas": (SEMICOLONS.replace("0.2", "0,2"), ["row 3", "'0,2'", "0.9 with a point"]),
    "grouped and decimal": (SEMICOLONS.replace("0.2", "1.000,2"), ["row 3", "'1.000,2'"]),
    "an unknown label": (changed(",attack,", ",maybe,"), ["row 3", "'maybe'", "--live"]),
    "types as labels": (changed(",attack,", ",print,"), ["row 3", "'print'", "attack_type=label"]),
    "no label": (changed(",attack,", ",,"), ["row 3", "no label"]),
    "0 and 1 without types": (
        NO_TYPES.replace("live", "1").replace("attack", "0"),
        ["labels of t.csv are 0, 1", "--live 1"],
    ),
    "live of a type": (changed("live,,", "live,print,"), ["row 2", "labelled live", "'print'"]),
    "an attack of type live": (changed("print", "live"), ["row 3", "labelled an attack", "'live'"]),
    "an attack without type": (changed("print", ""), ["row 3", "without an attack type", "--column attack_"]),
    "a type in two spellings": (changed("print", "Print"), ["'print'", "'Print'", "in one way"]),
    "an unknown split": (changed("validation", "dev2"), ["row 2", "'dev2'", "validation, test or train"]),
    "no split": (changed("validation", ""), ["row 2", "no split"]),
    "no test rows": (TABLE.replace("test", "validation"), ["no row", "split test", "--column split="]),
    "no person in one row": (changed("p2", ""), ["row 4", "no subject", "--column subject="]),
    "no video": (changed("c,p2", ",p2"), ["row 4", "no video"]),
    "one class": (edited("e,p3,live,", "e,p3,attack,print", "g,p4,live,", "g,p4,attack,print"),
                  ["4 test rows have no live row"]),
    "one class in validation": (edited("b,p1,attack,print", "b,p1,live,", "d,p2,attack,replay", "d,p2,live,"),
                                ["4 validation rows have no attack row"]),
    "a person in two splits": (changed("p3", "p1"), ["row 2", "row 6", "p1", "two people of one name"]),
    "a recording twice": (changed("f,p3,attack", "e,p3,attack"), ["row 6", "row 7", "video e", "column frame"]),
    "a row twice": (TABLE + LINES[-1], ["row 9", "row 10", "video h"]),
    "turned scores": (edited("live,", "0,", "attack,print", "live,", "attack,replay", "live,", "0,", "spoof,x"),
                      ["AUC is", "--higher-is attack", "--higher-is live"]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_judged_is_refused_with_the_row_and_what_to_do(data, words):
    with pytest.raises(DataError) as error:
        understood(data)
    assert not [word for word in words if word not in str(error.value)], error.value
    assert "\n" not in str(error.value)


FRAMES = "video,label,score,frame\n" + "".join(
    f"{v},{k},{s},{i}\n" for v, k, s in (("a", "live", 2), ("b", "attack", 1)) for i in range(3)
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (FRAMES + "b,attack,5,2\n", ["row 7", "row 8", "frame 2 of video b"]),
        (
            FRAMES + "b,live,5,3\n",
            ["video b", "label differs: attack and live", "two recordings have one name"],
        ),
        ("p1 p1 a 1\np1 p2 b 0\np2 p2 c 1\n", ["row 2", "p2", "another person", "spoof scores"]),
    ],
)
def test_rows_of_a_recording_that_contradict_each_other_are_refused(data, words):
    with pytest.raises(DataError) as error:
        understood(data)
    assert not [word for word in words if word not in str(error.value)], error.value


def test_splits_with_scores_of_different_sign_are_told_from_turned_ones():
    with pytest.raises(DataError, match="may not have the same sign"):
        understood(
            "\n".join(
                [LINES[0], *LINES[1:5], *(line.replace("0.8", "0").replace("0.6", "0") for line in LINES[5:])]
            )
        )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array(["a", "b"]), "row 1 of t.csv has the score 'a'"),
        (pa.array([True, False]), "of type bool"),
        (pa.array([[1.0], [2.0]]), "of type list"),
        (pa.array([1.0, None]), "row 2 of t.csv has no score"),
        (pa.array([1.0, float("nan")]), "row 2 of t.csv has the score nan"),
    ],
)
def test_scores_of_another_type_in_parquet_are_refused(column, words):
    with pytest.raises(DataError, match=words):
        understood(as_parquet(video=["a", "b"], label=["live", "attack"], score=column))
