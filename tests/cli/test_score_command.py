"""`rfmeta score` judges pictures, videos and folders; bad input is named, and the rest of a folder goes on."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.deploy.odd_files import MADE, PICTURES, UNREADABLE, photo, write_odd
from tests.deploy.small_package import POINTS, THRESHOLDS, write_package
from tests.ingest.clips import moving, scene, tag_rotation, write_clip, write_still
from tests.lighter import absent
from tests.lighter import rfmeta as light

CONFIG, DATA, RUN, MISSING = 2, 3, 5, 7


@pytest.fixture(scope="session")
def deployed(tmp_path_factory, faces_installed):
    return write_package(tmp_path_factory.mktemp("deployed") / "package")


def lines(ending):
    assert ending.code == 0, ending.err
    return [json.loads(line) for line in ending.out.splitlines()]


def test_a_picture_gets_a_verdict_with_its_threshold_and_where_that_comes_from(rfmeta, deployed, tmp_path):
    path = write_still(tmp_path / "a.png", photo())
    ending = rfmeta("score", deployed, path)
    assert ending.code == 0
    verdict, score, name = ending.out.split()
    assert (verdict, name) == ("live" if float(score) >= THRESHOLDS["frame"] else "attack", "a.png")
    assert "at least 0.2500 (equal error rate on validation splits of A, B)" in " ".join(ending.err.split())
    (row,) = lines(rfmeta("score", deployed, path, "--json", "--operating-point", "bpcer@apcer1"))
    assert row["score"] == pytest.approx(float(score), abs=1e-4)
    assert row["verdict"] == "attack"
    assert (row["threshold"], row["operating_point"]) == (POINTS["frame"], "bpcer@apcer1")
    assert rfmeta("score", deployed, path, "--operating-point", "eer").code == CONFIG


def test_a_picture_comes_through_stdin(rfmeta, deployed, tmp_path, monkeypatch):
    path = write_still(tmp_path / "a.png", photo())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    (row,) = lines(rfmeta("score", deployed, "-", "--json"))
    (other,) = lines(rfmeta("score", deployed, path, "--json"))
    assert row == other | {"video": "stdin"}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "stdin cannot be scored: The file is empty" in rfmeta("score", deployed, "-").error


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_of_every_kind_gets_the_same_score(rfmeta, deployed, tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(PICTURES[kind]())
    (row,) = lines(rfmeta("score", deployed, tmp_path / "a.jpg", "--json"))
    (plain,) = lines(rfmeta("score", deployed, write_still(tmp_path / "b.png", photo()), "--json"))
    assert row["score"] == pytest.approx(plain["score"], abs=0.01)
    assert row["box"] == pytest.approx(plain["box"], abs=3)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(rfmeta, deployed, tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(UNREADABLE[kind]())
    ending = rfmeta("score", deployed, tmp_path / "a.jpg")
    assert ending.code == DATA
    assert "a.jpg cannot be scored" in ending.error
    assert ending.out == ""


def test_a_folder_goes_on_and_lists_what_was_left_out_with_reasons(rfmeta, deployed, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "scores"
    reasons = write_odd(folder)
    assert rfmeta("score", deployed, folder, "--out", out, "--part", 5).code == 0
    scored = [row for path in sorted(out.glob("scores-*.csv")) for row in table(path)]
    left_out = [row for path in sorted(out.glob("left-out-*.csv")) for row in table(path)]
    assert {row["video"]: row["reason"] for row in left_out} == reasons
    assert {row["video"] for row in scored} == MADE
    assert all(row["words"].endswith(".") for row in left_out)
    state = json.loads((out / "progress.json").read_text())
    assert state["done"]
    assert state["files"] == len(reasons) + len(MADE)
    assert sum(state["verdicts"].values()) == state["files"]
    assert sum(state["reasons"].values()) == len(left_out)


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_threads_change_neither_the_order_nor_the_scores(rfmeta, deployed, tmp_path):
    write_odd(tmp_path / "photos")
    one = rfmeta("score", deployed, tmp_path / "photos", "--json")
    three = rfmeta("score", deployed, tmp_path / "photos", "--json", "--threads", 3)
    assert lines(one) == lines(three)


def test_judge_reads_the_tables_once_they_have_labels(rfmeta, deployed, tmp_path):
    for number in range(4):
        write_clip(tmp_path / f"photos/{number}.mov", moving(number % 2, 3))
    assert rfmeta("score", deployed, tmp_path / "photos", "--out", tmp_path / "out", "--frames", 2).code == 0
    rows = table(tmp_path / "out/scores-00000.csv")
    assert [(row["video"], row["frame"]) for row in rows[:3]] == [
        ("0.mov", "0"),
        ("0.mov", "2"),
        ("1.mov", "0"),
    ]
    assert {row["video_verdict"] for row in rows} <= {"live", "attack"}
    labelled = [row | {"label": "live" if row["video"] < "2" else "attack"} for row in rows]
    with (tmp_path / "labelled.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, labelled[0])
        writer.writeheader()
        writer.writerows(labelled)
    judged = rfmeta("judge", tmp_path / "labelled.csv", "--higher-is", "live", "--json")
    assert json.loads(judged.out)["figures"]["video"]["counts"]["videos"] == 4, judged.err


def test_judge_takes_the_thresholds_of_a_package_and_says_which_one_holds_for_pictures(
    rfmeta, deployed, tmp_path
):
    scores = tmp_path / "labelled.csv"
    scores.write_text("video,frame,score,label\na,0,0.9,live\nb,0,0.22,live\nc,0,0.1,attack\nd,0,0.21,attack\n")
    judged = json.loads(rfmeta("judge", scores, "--package", deployed, "--json").out)
    video = judged["figures"]["video"]
    assert (video["threshold"]["value"], video["HTER"]["value"]) == (THRESHOLDS["video"], 0.25)
    assert str(deployed) in video["threshold"]["source"]
    assert [f"--threshold {THRESHOLDS['frame']!r} in place of" in note for note in judged["notes"]].count(
        True
    ) == 1
    point = ("judge", scores, "--package", deployed, "--operating-point", "bpcer@apcer1", "--json")
    strict = json.loads(rfmeta(*point).out)["figures"]["video"]
    assert (strict["threshold"]["value"], strict["BPCER"]["value"]) == (POINTS["video"], 1)
    refused = rfmeta("threshold", deployed, scores, "--out", tmp_path / "child")
    assert refused.code == RUN
    assert "is a deployment package, not a trained model" in refused.error


def test_a_command_that_is_interrupted_says_what_is_kept(deployed, tmp_path):
    for number in range(3):
        write_still(tmp_path / f"photos/{number}.png", photo())
    os.mkdir(tmp_path / "out")
    code = "import sys; sys.argv[0] = 'rfmeta'; from rfmeta_dist.cli import main; main()"
    asked = ["score", deployed, tmp_path / "photos", "--out", tmp_path / "out", "--part", 1]
    command = [sys.executable, "-c", code, *map(str, asked)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "out/scores-00000.csv").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        told = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "Give the same command again to score the rest" in told


def test_parquet_holds_the_rows_of_the_csv(rfmeta, deployed, tmp_path):
    from rfmeta_dist.core.parquet import read_parquet

    write_still(tmp_path / "photos/a.png", photo())
    write_still(tmp_path / "photos/b.png", scene())
    for form in ("csv", "parquet"):
        ended = rfmeta("score", deployed, tmp_path / "photos", "--out", tmp_path / form, "--format", form)
        assert ended.code == 0, ended.err
    for name in ("scores", "left-out"):
        rows = read_parquet((tmp_path / f"parquet/{name}-00000.parquet").read_bytes()).to_pylist()
        text = [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
        assert text == table(tmp_path / f"csv/{name}-00000.csv")


def test_a_command_that_is_given_again_continues_or_says_why_not(rfmeta, deployed, tmp_path):
    for number in range(3):
        write_still(tmp_path / f"photos/{number}.png", photo())
    asked = ("score", deployed, tmp_path / "photos", "--out", tmp_path / "out", "--part", 2)
    assert rfmeta(*asked).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    again = rfmeta(*asked)
    assert again.code == 0
    assert "all files were scored before" in again.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    other = rfmeta(*asked, "--frames", 3)
    assert other.code == CONFIG
    assert "with frames Spread(count=10, length=1)" in other.error
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    assert "is not empty" in rfmeta(*asked[:3], "--out", tmp_path / "full").error
    (tmp_path / "out/progress.json").write_text("{")
    assert rfmeta(*asked).code == DATA


def test_overlays_show_every_picture_and_frame(rfmeta, deployed, tmp_path):
    write_still(tmp_path / "photos/in/a.png", photo())
    write_still(tmp_path / "photos/in/a.bmp", scene())
    write_clip(tmp_path / "photos/clip.mov", moving(0, 3))
    long = "é" * 125 + ".png"
    write_still(tmp_path / "photos" / long, photo())
    ended = rfmeta("score", deployed, tmp_path / "photos", "--save", tmp_path / "drawn", "--frames", 2)
    assert ended.code == 0, ended.err
    drawn = {str(p.relative_to(tmp_path / "drawn")) for p in (tmp_path / "drawn").rglob("*.jpg")}
    assert len(drawn) == 5
    assert {"in/a.png.jpg", "in/a.bmp.jpg", "clip.mov/00000.jpg", "clip.mov/00002.jpg"} < drawn
    picture = cv2.imread(str(tmp_path / "drawn/in/a.png.jpg"))[..., ::-1]
    (row,) = lines(rfmeta("score", deployed, tmp_path / "photos/in/a.png", "--json"))
    colour = {"live": (0, 114, 178), "attack": (213, 94, 0)}[row["verdict"]]
    side = picture[round(row["box"]["y"] + row["box"]["height"] / 2), round(row["box"]["x"])]
    assert np.abs(side.astype(int) - colour).max() < 100  # JPEG blurs a thin line


@pytest.mark.parametrize("option", ["--out", "--save"])
def test_what_is_written_may_not_lie_in_the_folder_that_is_scored(rfmeta, deployed, tmp_path, option):
    write_still(tmp_path / "a.png", photo())
    for place in (tmp_path, tmp_path / "inside"):
        ending = rfmeta("score", deployed, tmp_path, option, place)
        assert ending.code == CONFIG
        assert option in ending.error
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_wrong_path_is_an_error(rfmeta, deployed, tmp_path):
    assert rfmeta("score", deployed, tmp_path / "missing").code == CONFIG
    assert rfmeta("score", deployed, tmp_path).code == DATA
    (tmp_path / "notes.txt").write_text("no picture")
    assert "1 no_picture" in rfmeta("score", deployed, tmp_path).error
    ending = rfmeta("score", deployed, tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert (ending.code, "--out is for" in ending.error) == (CONFIG, True)


def test_results_go_to_stdout_while_progress_is_shown_on_a_terminal(deployed, tmp_path):
    for number in range(2):
        write_still(tmp_path / f"photos/{number}.png", photo())
    reader, terminal = pty.openpty()
    code = "import sys; sys.argv[0] = 'rfmeta'; from rfmeta_dist.cli import main; main()"
    asked = [sys.executable, "-c", code, "score", str(deployed), str(tmp_path / "photos")]
    ended = subprocess.run(asked, stdout=subprocess.PIPE, stderr=terminal, text=True, check=True)
    os.close(terminal)
    assert [line.split()[-1] for line in ended.stdout.splitlines()] == ["0.png", "1.png"]
    assert "2/2" in os.read(reader, 100_000).decode()
    os.close(reader)


@pytest.mark.parametrize("name", ["deploy.json", "model.onnx", "card.md", "card.json"])
def test_an_edited_package_is_refused(rfmeta, deployed, tmp_path, name):
    package = shutil.copytree(deployed, tmp_path / "package")
    data = (package / name).read_bytes()
    edited = data.replace(b'"value": 0.25', b'"value": 0.05') if name == "deploy.json" else data + b" "
    assert edited != data
    (package / name).write_bytes(edited)
    ending = rfmeta("score", package, write_still(tmp_path / "a.png", photo()))
    assert ending.code == RUN
    assert ending.error.startswith(f"error {name} of the deployment package")


def test_a_run_is_to_be_exported_first(rfmeta, tmp_path):
    (tmp_path / "run/model").mkdir(parents=True)
    (tmp_path / "run/model/package.json").write_text("{}")
    ending = rfmeta("score", tmp_path / "run", write_still(tmp_path / "a.png", photo()))
    assert ending.code == RUN
    assert "rfmeta export" in ending.error


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_video_gets_the_score_of_the_upright_one(rfmeta, deployed, tmp_path, degrees):
    turned = [np.rot90(picture, degrees // 90).copy() for picture in moving(0, 3)]
    path = tag_rotation(write_clip(tmp_path / "a.mp4", turned), degrees)
    video = lines(rfmeta("score", deployed, path, "--json"))[-1]
    plain = lines(rfmeta("score", deployed, write_clip(tmp_path / "b.mp4", moving(0, 3)), "--json"))[-1]
    assert (video["unit"], plain["unit"]) == ("video", "video")
    assert video["score"] == pytest.approx(plain["score"], abs=0.01)


def test_the_base_installation_scores_pictures_and_says_what_others_need(deployed, tmp_path):
    path = write_still(tmp_path / "photos/a.png", photo())
    clip = write_clip(tmp_path / "photos/clip.mov", moving(0, 2))
    ended = light(absent(), "score", deployed, path)
    assert (ended.returncode, ended.stdout.split()[2:]) == (0, ["a.png"]), ended.stderr
    ended = light(absent(), "score", deployed, clip)
    assert ended.returncode == MISSING
    assert "pip install 'rfmeta_dist[video]'" in ended.stderr
    ended = light(absent(), "score", deployed, tmp_path / "photos", "--json")
    assert [json.loads(line).get("reason") for line in ended.stdout.splitlines()] == [None, "needs_video"]
    ended = light(absent(), "score", deployed, path.parent, "--out", tmp_path / "out", "--format", "parquet")
    assert ended.returncode == MISSING
    assert "pyarrow" in ended.stderr
