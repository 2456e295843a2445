"""`rfmeta threshold` makes a child of a model with a threshold for the user's own scores, or says why not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from rfmeta_dist.core.digests import digest
from rfmeta_dist.evaluation import operating
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import open_store
from tests.stored import BEFORE

MODEL = BEFORE / "runs/finished"  # of a version without operating points


def own_scores(people: int = 25, seed: int = 0) -> Scores:
    """Return scores of two frames of each recording of people in a shop, one recording of each type."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        for kind, middle in {"live": 0.7, "print": 0.3, "replay": 0.45}.items():
            for frame in range(2):
                video = f"p{person}-{kind}"
                score = float(np.clip(rng.normal(middle, 0.12), 0, 1))
                key = f"shop-{video}-{frame}"
                rows.append((key, "shop", "test", f"p{person}", video, kind, kind == "live", score))
    return Scores(*map(np.array, zip(*rows, strict=True)))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "scores.parquet"
    path.write_bytes(own_scores().to_parquet(load_model(open_store(str(MODEL / "model"))).scorer))
    return path


def test_a_child_decides_at_the_point_of_the_users_scores(rfmeta, table: Path, tmp_path: Path) -> None:
    point = ("--operating-point", "bpcer@apcer5")
    told = rfmeta("threshold", MODEL, table, *point, "--out", tmp_path / "new", "--json")
    assert told.code == 0, told.err
    assert told.err == ""  # the scores say that they are this model's, and 25 recordings resolve 5 %
    result = json.loads(told.out)
    parent, child = (load_model(open_store(str(place))) for place in (MODEL / "model", tmp_path / "new"))
    videos = own_scores().per_video()
    assert child.thresholds["video"].value == operating.choose(videos, "bpcer@apcer5") == result["threshold"]
    assert child.thresholds["frame"] == parent.thresholds["frame"]
    assert child.thresholds["video"].source == (
        "operating point bpcer@apcer5 on own scores of shop (test): 75 videos of 25 people, "
        "set by `rfmeta threshold`"
    )
    assert child.about["parent"] == digest((MODEL / "model/package.json").read_bytes())
    stored = {name: point.value for name, point in child.operating_points["video"].items()}
    assert stored == operating.choose_some(videos)
    faces = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    assert np.array_equal(child.detector.score(faces), parent.detector.score(faces))

    # The child is a model like any other, also for this command.
    again = rfmeta("threshold", tmp_path / "new", table, "--unit", "frame", "--out", tmp_path / "newer")
    assert again.code == 0, again.err
    assert f"new threshold is at {tmp_path / 'newer'}; it accepts a frame as live if its score" in again.err
    newer = load_model(open_store(str(tmp_path / "newer")))
    assert newer.thresholds["video"] == child.thresholds["video"]


def test_csv_without_a_model_is_taken_with_a_warning(rfmeta, tmp_path: Path) -> None:
    few, path = own_scores(people=4), tmp_path / "scores.csv"
    csv.write_csv(pa.table(few.columns()), path)
    told = rfmeta("threshold", MODEL, path, "--operating-point", "apcer@bpcer1", "--out", tmp_path / "new")
    assert told.code == 0, told.err
    assert "the table does not say which model gave its scores" in told.err
    assert (
        "too few recordings for apcer@bpcer1: a limit of 1 % needs at least 100 recordings of live faces"
        in told.err
    )
    child = json.loads((tmp_path / "new/package.json").read_text())
    assert child["thresholds"]["video"]["value"] == operating.choose(few.per_video(), "apcer@bpcer1")


def lines_for_judge() -> list[str]:
    """The same scores as a person writes them for `rfmeta judge`, with other names of columns."""
    scores, lines = own_scores(), []
    for n in range(len(scores)):
        truth = "real" if scores.label[n] else "fake"
        lines.append(f"{scores.video[n]},{scores.subject[n]},{truth},{scores.score[n]},{n % 2}")
    return ["clip,person_id,truth,score,frame", *lines]


NAMES = ("--column", "video=clip", "--column", "subject=person_id", "--column", "label=truth")


@pytest.mark.parametrize("turned", [False, True])
def test_what_judge_reads_sets_a_threshold_and_judge_takes_it_from_the_child(rfmeta, tmp_path: Path, turned):
    head, *lines = lines_for_judge()
    options: tuple[str, ...] = NAMES
    if turned:  # 1 − the score of the model
        cells = [line.split(",") for line in lines]
        lines = [",".join([*row[:3], repr(1 - float(row[3])), row[4]]) for row in cells]
        options = (*NAMES, "--higher-is", "attack")
    table, out = tmp_path / "scores.csv", tmp_path / "new"
    table.write_text("\n".join([head, *lines]))
    told = rfmeta("threshold", MODEL, table, *options, "--out", out, "--json")
    assert told.code == 0, told.err
    result = json.loads(told.out)
    assert result["threshold"] == pytest.approx(operating.choose(own_scores().per_video(), "eer"), abs=1e-12)
    assert result["source"] == (
        "operating point eer on own scores of scores.csv (test): 75 videos of 25 people, "
        "set by `rfmeta threshold`"
    )

    judged = json.loads(rfmeta("judge", table, *options, "--package", out, "--json").out)
    video = judged["figures"]["video"]
    assert video["HTER"]["value"] == result["reached"]["HTER"]
    assert video["threshold"]["source"] == f"stored in {out}: {result['source']}"
    assert judged["notes"][0].startswith("The table does not say which model gave its scores.")
    strict = ("judge", table, *options, "--operating-point", "bpcer@apcer1", "--json", "--package")
    old = rfmeta(*strict, out)
    assert "stores no threshold of a frame for bpcer@apcer1" in old.error
    assert rfmeta("threshold", out, table, *options, "--unit", "frame", "--out", tmp_path / "both").code == 0
    strict = rfmeta(*strict, tmp_path / "both")
    at = json.loads(strict.out)["figures"]["video"]
    assert at["APCER_worst"]["value"] <= 0.01
    assert at["threshold"]["operating_point"] == "bpcer@apcer1"
    assert "needs at least 100 recordings" in at["threshold"]["unresolved"]


def test_judge_takes_no_threshold_of_another_model(rfmeta, table: Path, tmp_path: Path) -> None:
    (tmp_path / "other.parquet").write_bytes(own_scores().to_parquet("0" * 64))
    for arguments, code, words in (
        ((tmp_path / "other.parquet", "--package", MODEL), 3, "these scores are of another model than"),
        ((table, "--package", MODEL, "--threshold", "0.5"), 2, "only one threshold can hold"),
        ((table, "--package", MODEL, "--operating-point", "eer"), 5, "stores no threshold of a frame for eer"),
        ((table, "--package", tmp_path), 5, "there is no model at"),
    ):
        told = rfmeta("judge", *arguments, "--out", tmp_path / "page.html")
        assert (told.code, words in told.error) == (code, True), told.err
    assert not (tmp_path / "page.html").exists()
    judged = rfmeta("judge", table, "--package", MODEL, "--out", tmp_path / "page.html")
    assert judged.code == 0, judged.err
    assert "does not say which model" not in judged.err
    assert f"stored in {MODEL / 'model'}: " in (tmp_path / "page.html").read_text()


def test_scores_without_people_or_of_videos_alone_set_a_threshold_for_videos(rfmeta, tmp_path: Path) -> None:
    videos = own_scores().per_video()
    rows = zip(videos.video, videos.label, videos.score, strict=True)
    lines = [f"{video},{'live' if label else 'attack'},{score}" for video, label, score in rows]
    (tmp_path / "videos.csv").write_text("\n".join(["video,label,score", *lines]))
    command = ("threshold", MODEL, tmp_path / "videos.csv", "--out", tmp_path / "new", "--json")
    told = rfmeta(*command, "--unit", "frame")
    assert (told.code, "no scores of frames" in told.error) == (3, True)
    result = json.loads(rfmeta(*command).out)
    assert result["threshold"] == operating.choose(videos, "eer")
    assert "75 videos, set by" in result["source"]
    assert "subjects" not in result["origin"]


def test_only_the_named_domains_count(rfmeta, tmp_path: Path) -> None:
    shop, bank = own_scores(), own_scores(seed=1)
    keys = np.array([f"bank-{key}" for key in bank.key])
    bank = replace(bank, domain=np.full(len(bank), "bank"), key=keys)
    columns = ((name, [column, bank.columns()[name]]) for name, column in shop.columns().items())
    both = Scores(**{name: np.concatenate(parts) for name, parts in columns})
    table = tmp_path / "both.parquet"
    table.write_bytes(both.to_parquet())
    for chosen, expected in ((("--domain", "shop"), shop), ((), both)):
        out = tmp_path / f"new{len(chosen)}"
        told = rfmeta("threshold", MODEL, table, "--out", out, "--json", *chosen)
        assert json.loads(told.out)["threshold"] == operating.choose(expected.per_video(), "eer")
    absent = rfmeta("threshold", MODEL, table, "--out", tmp_path / "x", "--domain", "casino")
    assert (absent.code, absent.error) == (
        3,
        "error the table has no scores of casino; choose from its domains: bank, shop",
    )


def changed(**columns: object) -> bytes:
    """Return a file of scores with some columns changed, without the checks of `Scores`."""
    whole = {name: column.tolist() for name, column in own_scores().columns().items()}
    for name, value in columns.items():
        whole[name] = value if isinstance(value, list) else [value] * len(whole[name])
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(whole), sink)
    return sink.getvalue().to_pybytes()


def with_first(value: object) -> list[object]:
    return [value, *own_scores().score.tolist()[1:]]


KEYS = own_scores().key.tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(score=with_first(float("nan"))), "row 2 of scores.csv has the score nan, which is not"),
        (changed(score=with_first(1.5)), "not in [0, 1]; the first is 1.5 for shop-p0-live-0"),
        (changed(label=0, attack_type="print", video=KEYS), "the 150 rows have no live row"),
        (changed(label="live", attack_type="live", video=KEYS), "the 150 rows have no attack row"),
        (changed(label=2), "row 2 of scores.csv has the label '2', which is neither live nor attack"),
        (changed(score=(1 - own_scores().score).tolist()), "give --higher-is attack"),
        (changed(key="shop-p0-live-0"), "row 3 of scores.csv are both of key shop-p0-live-0"),
        (changed(domain="O", split="train"), "150 rows are of the training split of O, and the model was"),
        (changed(subject=["", *own_scores().subject[1:]]), "has no subject in the column subject"),
        (changed().split(b"\n")[0] + b"\n", "has no row of scores"),
        (b"", "scores.csv is empty"),
        (changed().replace(b'"score"', b'"points"'), "has no column score"),
        (changed(score="high"), "has the score 'high', which is not a number"),
        (changed(score="1_0"), "has the score '1_0', which is not a number"),
        (b"\xff\xff\x01,\n", "is not text in UTF-8"),
        (changed(video="one"), "are of video one, but their label differs"),
    ],
)
def test_a_table_that_sets_no_threshold_is_refused(rfmeta, tmp_path: Path, content, words):
    (tmp_path / "scores.csv").write_bytes(content)
    told = rfmeta("threshold", MODEL, tmp_path / "scores.csv", "--out", tmp_path / "new")
    assert told.code == 3, told.err
    assert words in told.error
    assert not (tmp_path / "new").exists()


def test_scores_of_another_model_are_refused(rfmeta, tmp_path: Path) -> None:
    (tmp_path / "scores.parquet").write_bytes(own_scores().to_parquet("0" * 64))
    told = rfmeta("threshold", MODEL, tmp_path / "scores.parquet", "--out", tmp_path / "new")
    assert told.code == 3
    assert told.error.startswith(f"error these scores are of another model than {MODEL / 'model'}: their")
    assert not (tmp_path / "new").exists()


def test_wrong_arguments_are_named(rfmeta, table: Path, tmp_path: Path) -> None:
    shutil.copytree(MODEL / "model", tmp_path / "model")
    for arguments, code, words in (
        ((MODEL, table, "--out", tmp_path / "model"), 5, "is not empty, so the new model is not written there"),
        ((tmp_path / "no", table, "--out", tmp_path / "new"), 5, "there is no model at"),
        ((MODEL, tmp_path / "no.csv", "--out", tmp_path / "new"), 4, "no.csv does not exist"),
        (
            (MODEL, f"{tmp_path}/", "--out", tmp_path / "new"),
            2,
            "is a folder, not a file; give the path of a table",
        ),
        (
            (MODEL, table, "--out", tmp_path / "new", "--operating-point", "best"),
            2,
            "no operating point 'best'",
        ),
    ):
        told = rfmeta("threshold", *arguments)
        assert (told.code, words in told.error) == (code, True), told.err
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "no").exists()


def test_help_names_every_operating_point(rfmeta) -> None:
    for command in ("evaluate", "report", "threshold"):
        shown = rfmeta(command, "--help").out
        assert all(name in shown for name in operating.NAMES), command
