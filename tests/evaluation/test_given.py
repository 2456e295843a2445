"""Tables of scores are read as people write them."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from rfmeta_dist.evaluation.given import Given
from tests.score_tables import HEAD, LINES, TABLE, as_parquet, understood


def require_table(found: Given) -> None:
    assert found.units == ("video",)
    assert found.test.video.tolist() == ["e", "f", "g", "h"]
    assert found.test.attack_type.tolist() == ["live", "print", "live", "replay"]
    assert found.test.score.tolist() == [0.8, 0.1, 0.6, 0.75]
    assert found.validation is not None
    assert found.validation.score.tolist() == [0.9, 0.2, 0.7, 0.4]
    assert len(set(found.test.subject)) == 2


SEMICOLON = TABLE.replace(",", ";").replace("0.", "0,")
WRITTEN = {
    "as documented": TABLE,
    "with a byte order mark": "\ufeff" + TABLE,
    "with Windows line ends": TABLE.replace("\n", "\r\n"),
    "by Excel with decimal commas": SEMICOLON,
    "by Excel with a line that names the delimiter": "sep=;\r\n" + SEMICOLON.replace("\n", "\r\n"),
    "by Excel as Unicode text": TABLE.replace(",", "\t").encode("utf-16"),
    "with tabs": TABLE.replace(",", "\t"),
    "with quotes": "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES),
    "with decimal commas in quotes": "\n".join(
        [
            LINES[0],
            *(",".join([*r[:-1], f'"{r[-1].replace(".", ",")}"']) for r in (s.split(",") for s in LINES[1:])),
        ]
    ),
    "with spaces around cells": TABLE.replace(",", " , "),
    "with empty rows": TABLE.replace("\nc", "\n\n,,,,,\nc") + ",,,,,\n\n",
    "without an end of the last line": TABLE.rstrip("\n"),
    "with upper case": TABLE.replace(HEAD, HEAD.upper()).replace("live", "LIVE").replace("test", "Test"),
    "compressed": gzip.compress(TABLE.encode()),
    "in scientific notation": TABLE.replace("0.75", "7.5e-1").replace("0.1\n", "+1E-01\n"),
    "with other words": TABLE.replace(",live,", ",Bona-Fide,").replace(",attack,", ",SPOOF,"),
    "with other splits": TABLE.replace("validation", "Dev").replace("test", "EVAL"),
    "with further columns": "\n".join(f"{i},{line},note {i}" for i, line in enumerate(LINES)),
    "with names of a manifest": TABLE.replace("video,subject", "video_id,Subject ID"),
    "with 1 for live and types": TABLE.replace(",live,", ",1,").replace(",attack,", ",0,"),
    "with 0 for live and types": TABLE.replace(",live,", ",0,").replace(",attack,", ",1,"),
    "with live among the types": TABLE.replace(",live,,", ",live,live,"),
    "with training rows": TABLE + "x,p9,live,,train,0.5\ny,p9,attack,print,train,0.9\n",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_table_is_understood_however_it_was_written(written):
    require_table(understood(written))


def test_parquet_is_read_with_columns_of_several_types():
    rows = [line.split(",") for line in LINES[1:]]
    video, subject, label, kind, split, score = zip(*rows, strict=True)
    text = {"video": video, "attack_type": [one or None for one in kind]}
    plain = {"subject": [int(one[1]) for one in subject], "label": [one == "live" for one in label]}
    require_table(
        understood(
            as_parquet(
                **{name: pa.array(column) for name, column in (text | plain).items()},
                split=pa.array(split).dictionary_encode(),
                score=pa.array(list(map(float, score))),
                feature=pa.array([[1.0, 2.0]] * len(rows)),
            )
        )
    )


def test_names_that_options_give_are_used_and_columns_can_be_left_out():
    renamed = (
        TABLE.replace(HEAD, "clip,who,truth,pai,part,output")
        .replace(",live,", ",4,")
        .replace(",attack,", ",7,")
    )
    names = dict(zip(HEAD.split(","), ["clip", "who", "truth", "pai", "part", "output"], strict=True))
    require_table(understood(renamed, columns=names, live=["4"]))
    found = understood(TABLE, columns={"subject": "", "attack_type": "", "split": ""})
    assert (found.people, found.validation, len(found.test)) == (False, None, 8)
    assert set(found.test.attack_type) == {"live", "attack"}


def test_scores_that_are_higher_for_attacks_are_turned():
    found = understood(TABLE, higher_is="attack")
    assert found.turned
    assert found.test.score.tolist() == [-0.8, -0.1, -0.6, -0.75]


def test_people_of_one_name_in_two_domains_are_two_people():
    rows = [f"{line},{'A' if i < 5 else 'B'}" for i, line in enumerate(LINES) if i]
    table = "\n".join([HEAD + ",domain", *rows]).replace("p3", "p1").replace("p4", "p2")
    found = understood(table)
    assert found.validation is not None
    assert not set(found.test.subject) & set(found.validation.subject)
    assert understood(table, target="B").test.video.tolist() == ["e", "f", "g", "h"]


FOUR = """p1 p1 real/one 1.5
p1 attack attack/one -2.0
p2 p2 real/two 0.5
p2 attack attack/two 0.25
"""


def test_bobs_four_and_five_columns_are_read_from_two_files():
    found = understood(FOUR.replace("p", "q").replace("/", "/q-"), FOUR)
    assert found.test.subject.tolist() == ["q1", "q1", "q2", "q2"]
    assert found.validation is not None
    assert found.validation.video.tolist() == ["real/one", "attack/one", "real/two", "attack/two"]
    assert found.test.attack_type.tolist() == ["live", "attack", "live", "attack"]
    five = "\n".join(" ".join([line.split()[0], "model", *line.split()[1:]]) for line in FOUR.splitlines())
    assert understood(five).test.score.tolist() == [1.5, -2.0, 0.5, 0.25]


def test_rows_of_one_recording_in_bobs_columns_are_its_frames_and_its_types_are_kept():
    frames = FOUR.replace("attack attack/two", "print attack/two") + "p2 print attack/two 0.75\n"
    found = understood(frames)
    assert found.units == ("frame", "video")
    assert found.test.per_video().score.tolist() == [-2.0, 0.5, 1.5, 0.5]
    assert set(found.test.attack_type) == {"live", "attack", "print"}


def test_the_tables_of_bob_pad_are_read():
    head = "claimed_id,test_label,is_bonafide,attack_type,score"
    table = f"{head}\n1,a,True,,3\n1,b,False,print,1\n2,c,FALSE,mask,2\n"
    found = understood(table)
    assert found.test.attack_type.tolist() == ["live", "print", "mask"]
    assert found.people


def test_a_table_of_many_rows_is_read_in_little_more_memory_than_its_file(tmp_path):
    rows = range(100_000)
    lines = (
        f"v{i // 20},s{i // 1000},{'live' if i // 20 % 3 else 'attack'},0.{i:06d},{i % 20}\n" for i in rows
    )
    text = "video,subject,label,score,frame\n" + "".join(lines)
    (tmp_path / "t.csv").write_text(text)
    program = f"""
import os, pathlib, tracemalloc
import numpy, pyarrow
from rfmeta_dist.evaluation import given
from rfmeta_dist.evaluation.given_rows import Reading
data = pathlib.Path({str(tmp_path / "t.csv")!r}).read_bytes()
before = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0
tracemalloc.start()
table = given.read(data, "t", Reading())
print(tracemalloc.get_traced_memory()[1] / len(data), len(table))
print(before, len(os.listdir("/proc/self/task")) if before else 0)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
    )
    times, count, before, after = done.stdout.split()
    assert (int(count), before) == (100_000, after)
    assert float(times) < 3  # 40 bytes a row: an index for each column, the score and the row's number
