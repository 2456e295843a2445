"""Looking into judged runs: what is written to the ledger, what is refused, and that the looks are true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfmeta_dist.cluster.explaining import explain_here
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.evaluation.explain import Side, explain
from rfmeta_dist.evaluation.face_maps import GRID
from rfmeta_dist.evaluation.looks import logit_of
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.report import explanation
from rfmeta_dist.runs.folder import read_config
from rfmeta_dist.storage.store import Store, open_store
from tests.explained import configured, judged, publish


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish(tmp_path_factory.mktemp("shards"), "ABDM")


@pytest.fixture
def run(tmp_path: Path, prefix: str) -> Store:
    return judged(configured(tmp_path, prefix))


def reads(folder: Store) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in folder.read("ledger.jsonl").splitlines()]
    return [row for row in rows if row["purpose"] == "explanation"]


def test_each_read_is_in_the_ledgers_of_both_runs_once(tmp_path: Path, prefix: str, run: Store):
    other = judged(configured(tmp_path, prefix, "other"), seed=1)
    for _ in range(2):
        explain_here([run, other])
    target = {"domain": "D", "split": "all", "sealed": True}
    for folder in (run, other):
        (row,) = [row for row in reads(folder) if row["sealed"]]
        assert target.items() <= row.items()
    sources = [(row["domain"], row["split"]) for row in reads(run) if not row["sealed"]]
    assert sources == [("A", "validation"), ("B", "validation")]
    assert len(reads(other)) == 1  # only the first run's features are shown


def test_the_read_is_in_the_ledger_before_a_face_is_read(tmp_path: Path):
    store = open_store(publish(tmp_path / "data"))
    folder = judged(configured(tmp_path, store.url))
    for name in store.list("D"):
        if name.endswith(".tar"):
            store.delete(name)
    with pytest.raises(DataError, match="D"):
        explain_here([folder])
    assert [row["domain"] for row in reads(folder)] == ["D"]


def test_the_evidence_and_the_score_agree(run: Store):
    found = explain_here([run])
    (side,) = found.sides
    assert {one.chosen.kind for one in found.pictures} == {"live", "print"}
    at = side.model.thresholds["frame"].value
    for picture in found.pictures:
        (opinion,) = picture.opinions
        look = opinion.look
        assert 1 / (1 + np.exp(-look.over - logit_of(at))) == pytest.approx(opinion.score, abs=1e-6)
        assert opinion.accepted == (opinion.score >= at)
        assert look.evidence.shape == (GRID, GRID)
        # 64 pixels give 2×2 places. Their interpolation over the face has the same mean.
        assert look.evidence.mean() == pytest.approx(look.over, abs=1e-6)
        assert (look.depth_label.max() > 0) == (picture.chosen.kind == "live")
    assert len(found.points.scores) == 4 + 4 + 8  # recordings: of two validation splits, and of the target
    assert set(found.points.scores.domain) == {"A", "B", "D"}


def test_of_patches_the_logits_are_averaged(tmp_path: Path):
    prefix = publish(tmp_path / "data", native=True)
    folder = judged(configured(tmp_path, prefix, view="patches", image_size=32))
    found = explain_here([folder])
    at = found.sides[0].model.thresholds["frame"].value
    for picture in found.pictures:
        (opinion,) = picture.opinions
        assert opinion.look.places == 1
        assert len(np.unique(opinion.look.evidence.round(9))) > 1, "the patches of a face do not differ"
        # With initial weights scores differ so little that the mean of sigmoids is the sigmoid of the mean.
        assert 1 / (1 + np.exp(-opinion.look.over - logit_of(at))) == pytest.approx(opinion.score, abs=1e-3)
    assert "patches" in explanation.render(found)


def test_a_run_that_was_not_judged_is_refused(tmp_path: Path, prefix: str):
    folder = judged(configured(tmp_path, prefix), judge_it=False)
    with pytest.raises(RunError, match=r"has not been judged.*; judge it first: rfmeta evaluate"):
        explain_here([folder])
    assert reads(folder) == []


def test_runs_of_different_targets_are_refused(tmp_path: Path, prefix: str, run: Store):
    other = judged(configured(tmp_path, prefix, "other", target="M"))
    with pytest.raises(RunError, match=r"judged on D .* but .* on M .* cannot be compared"):
        explain_here([run, other])
    with pytest.raises(RunError, match="given twice"):
        explain_here([run, run])
    assert reads(run) == reads(other) == []


def test_a_run_that_has_another_target_since_is_refused(tmp_path: Path, prefix: str, run: Store):
    prepare(configured(tmp_path, prefix, target="M"))
    with pytest.raises(RunError, match=r"last judged on D .*, but its target is now M .*; .* rfmeta evaluate"):
        explain_here([run])


def test_a_damaged_package_is_refused(run: Store):
    run.write("model/weights.safetensors", run.read("model/weights.safetensors")[:-1])
    with pytest.raises(RunError, match=r"model at .* is damaged"):
        explain_here([run])
    assert reads(run) == []


def test_scores_of_another_model_are_refused(run: Store):
    scores = Scores.from_parquet(run.read("scores.parquet"))
    run.write("scores.parquet", scores.to_parquet("0" * 64))
    with pytest.raises(RunError, match=r"given by another model.*; .* rfmeta evaluate"):
        explain_here([run])
    assert reads(run) == []


def test_a_detector_that_cannot_be_looked_into_is_refused(prefix: str, run: Store):
    class Constant:
        kind, wants = "constant", "frame"

        def score(self, faces):
            return np.full(len(faces), 0.5)

        def save(self, folder):
            return {}

    model = replace(load_model(run.sub("model")), detector=Constant())
    scores = Scores.from_parquet(run.read("scores.parquet"))
    target = scores.select(scores.domain == "D")
    with pytest.raises(RunError, match="of kind constant, which has no activation maps"):
        explain([Side("r", run, read_config(run), model, target)])
    assert reads(run) == []


def test_the_file_has_the_numbers_of_the_page(run: Store):
    found = explain_here([run])
    stored = json.loads(explanation.numbers(found))
    assert [row["key"] for row in stored["frames"]] == [one.chosen.key for one in found.pictures]
    evidence = np.array(stored["frames"][0]["runs"][0]["evidence"])
    np.testing.assert_allclose(evidence, found.pictures[0].opinions[0].look.evidence, atol=1e-4)
    assert {row["type"] for row in stored["types"]} == {"live", "print"}
    points = [row["decision"] for row in stored["features"]["points"]]
    np.testing.assert_allclose(points, found.points.decision.points, atol=1e-4)
