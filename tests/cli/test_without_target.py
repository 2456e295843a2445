"""A run without data.target trains on its sources and is judged on nothing, until it is given a target."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.config.load import load_config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.runs.fingerprint import fingerprint
from tests.stored import BEFORE, SHARDS


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A prefix with the domains O, C and I, and a domain M whose files all are nonsense."""
    place = Path(shutil.copytree(SHARDS, tmp_path / "faces"))
    for path in (place / "M").rglob("*"):
        if path.is_file():
            path.write_bytes(b"nonsense")
    return place


@pytest.fixture
def oci(config: Path, faces: Path, tmp_path: Path) -> Path:
    """A configuration of the sources O, C and I."""
    tree = yaml.safe_load(config.read_text())
    del tree["data"]["target"]
    tree["data"] |= {"prefix": str(faces), "sources": ["O", "C", "I"], "image_size": 32}
    tree["training"] |= {"workers": 1}
    path = tmp_path / "oci.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A trained run of an earlier version, from whose configuration the target was removed."""
    place = Path(shutil.copytree(BEFORE / "runs/finished", tmp_path / "finished"))
    config = place / "config.yaml"
    words = re.sub(r"prefix: .*", f"prefix: {SHARDS}", config.read_text())
    config.write_text(re.sub(r" *target: M\n", "", words))
    return place


def ledger(run: Path) -> list[tuple[str, str, bool]]:
    rows = map(json.loads, (run / "ledger.jsonl").read_text().splitlines())
    return [(row["domain"], row["purpose"], row["sealed"]) for row in rows]


@pytest.mark.drill
def test_a_model_of_all_domains_is_trained_and_a_target_judges_it_later(rfmeta, oci: Path, faces: Path) -> None:
    run = oci.parent / "runs/r"
    trained = rfmeta("train", oci)  # which would fail if it read any file of M
    assert trained.code == 0, trained.err
    assert f"the model of O&C&I is at {run}/model; it is judged on no target" in trained.err
    assert re.search(r"sources' validation splits, per video: HTER O [\d.]+ %, C [\d.]+ %, I", trained.err)
    assert "train → r  4/4" in trained.err  # rows carry the run's name
    own = [(name, why, False) for why in ("training", "threshold") for name in "OCI"]
    assert ledger(run) == own
    assert set(json.loads((run / "manifests.json").read_text())) == set("OCI")

    again = rfmeta("train", oci, "--json")
    figures = json.loads(again.out)["validation"]
    package = json.loads((run / "model/package.json").read_text())
    for unit in ("frame", "video"):
        assert figures[unit]["threshold"]["value"] == package["thresholds"][unit]["value"]

    refused = rfmeta("evaluate", run)
    assert refused.code == RunError.exit_code
    assert "run r has no target (data.target)" in refused.error
    assert "--set data.target=X, where X is a domain that is none of its sources O, C, I" in refused.error
    assert ledger(run) == own

    shutil.copytree(SHARDS / "M", faces / "M", dirs_exist_ok=True)
    starts = (run / "starts.jsonl").read_bytes()
    judged = rfmeta("train", oci, *options("data.target=M"))
    assert "the run is judged on M (split: all) from now on" in judged.err
    assert "there is nothing to train" in judged.err
    early = rfmeta("report", run)
    assert f"make it with: rfmeta evaluate {run}" in early.error
    assert rfmeta("evaluate", run).code == 0
    assert ledger(run) == [*own, ("M", "evaluation", True)]
    assert (run / "starts.jsonl").read_bytes() == starts

    # A run that had the target from its start has the same model, and the same figures.
    other = rfmeta("train", oci, *options("data.target=M", "run.name=other"))
    assert other.code == 0, other.err
    assert "train → M  4/4" in other.err
    assert rfmeta("evaluate", run.parent / "other").code == 0
    for name in ("model/weights.safetensors", "validation.parquet", "evaluation.json"):
        assert (run.parent / "other" / name).read_bytes() == (run / name).read_bytes(), name

    # Its ledger remains if the target is removed again, and its page says that it was judged.
    removed = rfmeta("train", oci)
    assert "the run has no target from now on; its ledger keeps the reads of earlier targets" in removed.err
    assert rfmeta("report", run).code == 0
    assert "It was judged on M before the target was removed" in (run / "report.html").read_text()
    assert ledger(run) == [*own, ("M", "evaluation", True)]


def test_a_page_shows_training_data_and_validation_figures_and_no_target(rfmeta, finished: Path) -> None:
    (finished / "ledger.jsonl").write_text(
        "".join(line for line in (finished / "ledger.jsonl").open() if '"M"' not in line)
    )
    for name in ("evaluation.json", "scores.parquet", "examples.parquet"):
        (finished / name).unlink()
    ending = rfmeta("report", finished)
    assert ending.code == 0, ending.err
    html = (finished / "report.html").read_text()
    assert "O&amp;C&amp;I, rfmeta: no target" in html
    assert "No other domain was read" in html
    assert "The figures on this page flatter" in html
    for name in "OCI":
        assert f'<th scope="row">{name}</th>' in html
    assert html.count("<svg") == 4  # histograms per video and per frame, the loss and its parts
    words = re.sub(r"<[^>]*>", " ", html)
    assert "ORACLE" not in words
    assert not re.search(r"\bM\b", words.split("Configuration")[0])


def test_validation_scores_that_do_not_belong_to_the_model_are_not_shown(rfmeta, finished: Path) -> None:
    scores = Scores.from_parquet((finished / "validation.parquet").read_bytes())
    other = replace(scores, score=scores.score / 2)
    (finished / "validation.parquet").write_bytes(other.to_parquet())
    ending = rfmeta("report", finished)
    assert ending.code == RunError.exit_code
    assert "does not follow from the scores in" in ending.error
    assert not (finished / "report.html").exists()


def test_commands_that_need_a_target_say_so_before_anything_starts(rfmeta, oci: Path) -> None:
    demo = rfmeta("demo", *options("data.target=null"))
    assert demo.code == ConfigError.exit_code
    assert "the demo judges its model on a target" in demo.error
    assert "add --set data.target=X, where X is none of the sources O, C, I" in demo.error
    loo = rfmeta("loo", oci, *options("data.sources=[O,C]"))
    assert loo.code == ConfigError.exit_code
    assert "the domains C and O alone" in loo.error
    assert not (oci.parent / "runs").exists()


def test_the_sources_are_the_domains_that_are_held_out(oci: Path) -> None:
    from rfmeta_dist.config.held_out import targets_of

    with_target, without = load_config(oci, ["data.target=M"]), load_config(oci, ["data.sources=[O,C,I,M]"])
    assert targets_of(without, [], []).runs == targets_of(with_target, [], []).runs
    space = {"method.depth_weight": {"uniform": [1, 10]}}
    studies = [Study.model_validate({"name": "s", "base": c, "space": space}) for c in (with_target, without)]
    assert studies[0].domains == studies[1].domains == ("C", "I", "M", "O")


@pytest.mark.parametrize("word", ["null", "~", ""])
def test_a_target_is_removed_on_the_command_line(config: Path, word: str) -> None:
    given, removed = load_config(config), load_config(config, [f"data.target={word}"])
    assert removed.data.target is None
    assert removed.data.protocol == "A&B&C"
    states = dict.fromkeys("ABC", "0" * 64)
    assert fingerprint(removed, states) == fingerprint(given, states)  # so its checkpoints serve both
