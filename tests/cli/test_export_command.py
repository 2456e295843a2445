"""`rfmeta export` says what it wrote, and refuses what is no trained model with one line."""

import json
from pathlib import Path

from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.storage.store import open_store
from tests.stored import BEFORE

RUN = BEFORE / "runs/finished"


def test_a_run_is_exported_and_the_user_told_what_to_know(rfmeta, tmp_path: Path) -> None:
    told = rfmeta("export", RUN, "--out", tmp_path / "package", "--name", "shop-1")
    assert told.code == 0, told.err
    assert told.out == ""
    for part in (
        "converting the model to ONNX",
        "in batches of 16",
        "the deployment package shop-1 (fp32) is at",
        "verdicts differ",
        "compared on generated faces that come with rfmeta_dist",
        "card.md",
    ):
        assert part in told.err, part
    found = deployment.read(open_store(str(tmp_path / "package")))
    assert (found.name, found.precision) == ("shop-1", "fp32")

    again = rfmeta("export", RUN, "--out", tmp_path / "package")
    assert again.code == 5
    assert "is not empty" in again.error

    twice = rfmeta("export", tmp_path / "package", "--out", tmp_path / "other")
    assert twice.code == 5
    assert "is a deployment package, not a trained model" in twice.error


def test_json_has_the_result_alone(rfmeta, tmp_path: Path) -> None:
    told = rfmeta("export", RUN / "model", "--out", tmp_path / "package", "--json")
    assert told.code == 0, told.err
    assert told.err == ""
    result = json.loads(told.out)
    assert result["package"] == str(tmp_path / "package")
    assert result["checked"]["flipped"] == 0
    assert len(result["notes"]) == 2


def test_what_is_no_trained_model_is_refused_and_nothing_is_written(rfmeta, tmp_path: Path) -> None:
    out = tmp_path / "package"
    unfinished = rfmeta("export", BEFORE / "runs/interrupted", "--out", out)
    assert unfinished.code == 5
    assert "there is no model at" in unfinished.error
    name = rfmeta("export", RUN, "--out", out, "--name", "../up")
    assert name.code == 2
    assert "cannot be the name of a package" in name.error
    int8 = rfmeta("export", RUN, "--out", out, "--int8")
    assert int8.code == 5
    assert "needs thresholds of its own" in int8.error
    assert not out.exists()
