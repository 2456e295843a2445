"""`export` writes a package that scores and decides as the run does, and says what it could not do."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import DataError, DivergedError, PackageError, RunError
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.decode import decode_stored
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.deploy.package import Deployment
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.api import Threshold
from rfmeta_dist.evaluation import thresholds
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.export.deployment import export
from rfmeta_dist.export.session import OnnxDetector
from rfmeta_dist.export.work import Order
from rfmeta_dist.storage.store import Store, open_store
from tests.lively import lively
from tests.stored import BEFORE, SHARDS

CLOSE = 2e-5


def model(run: Store) -> package.Contents:
    return package.read(run.sub("model"))


def exported(order: Order, folder: Path) -> tuple[dict[str, Any], Deployment]:
    out = open_store(str(folder / "out"))
    return export(order, out, lambda _: None), deployment.read(out)


def scored(found: Deployment) -> OnnxDetector:
    return OnnxDetector(found.files["model.onnx"])


def validation(run: Store) -> dict[str, float]:
    """Return the scores that the run computed for its validation frames, by key."""
    scores = Scores.from_parquet(run.read("validation.parquet"))
    return dict(zip(scores.key, scores.score, strict=True))


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> tuple[dict[str, Any], Deployment]:
    return exported(Order(model(run), run), tmp_path_factory.mktemp("whole"))


def test_the_package_scores_and_decides_as_the_run(run, prefixes, whole):
    result, found = whole
    parent = model(run)
    assert sorted(found.files) == ["card.json", "card.md", "model.onnx"]
    assert (found.name, found.precision, found.kind) == ("face", "fp32", "onnx")
    assert found.parent == digest(run.read("model/package.json"))
    assert found.thresholds == parent.thresholds
    assert found.operating_points == parent.operating_points
    assert found.about["data"] == parent.about["data"]
    assert found.input["size"] == [32, 32]
    assert found.input["crop"]["margin"] == 1.5
    assert set(found.input["detector"]) == {"face_detection_back.tflite", "face_landmark.tflite"}
    wanted, store = validation(run), open_store(str(prefixes["face"]))
    for name in "AB":
        manifest = Manifest.open(store, name)
        for raw in scan(store, manifest, "validation", image_size=32, batch=8):
            expected = np.array([wanted[key] for key in raw.keys])
            assert np.abs(scored(found).score(raw.image) - expected).max() < CLOSE
    assert result["checked"]["crops"] == 48  # 12 live and 12 attacks of each of the two sources
    assert "validation splits of A, B" in result["checked"]["on"]
    assert max(result["checked"]["difference"]) < CLOSE
    assert found.about["checked"] == result["checked"]


def test_the_card_says_what_was_not_measured(whole):
    result, found = whole
    card, text = json.loads(found.files["card.json"]), found.files["card.md"].decode()
    assert card["figures"] is None
    assert found.about["figures"] is None
    assert any("judged on no target" in note for note in result["notes"])
    assert "judged on no data that it had not seen" in text
    assert "attacks of these types: print" in text
    for part in ("## Intended use", "## Limits", "bpcer@apcer5", "| A |"):
        assert part in text
    assert card["thresholds"]["video"]["value"] == found.thresholds["video"].value


def test_a_model_for_patches_takes_crops_of_any_size_as_the_shards_have_them(patched, prefixes, tmp_path):
    result, found = exported(Order(model(patched), patched), tmp_path)
    assert (found.input["size"], found.input["smallest"]) == (None, 32)
    assert found.about["view"].startswith("2×2 patches of 32×32 pixels")
    assert max(result["checked"]["difference"]) < CLOSE
    wanted, store = validation(patched), open_store(str(prefixes["patches"]))
    sides = set()
    for name in "AB":
        manifest = Manifest.open(store, name)
        for shard in (shard for shard in manifest.shards if shard.split == "validation"):
            for sample in unpack(store.sub(name).read(shard.name), manifest.rows(shard), shard.name):
                crop = decode_stored(sample)[0]
                sides.add(len(crop))
                assert abs(scored(found).score(crop[None])[0] - wanted[sample.row["key"]]) < CLOSE
    assert len(sides) > 10


def test_int8_has_its_own_name_thresholds_and_cost(run, prefixes, whole, tmp_path):
    result, found = exported(Order(model(run), run, int8=True), tmp_path)
    assert (found.name, found.precision) == ("face-int8", "int8")
    assert len(found.files["model.onnx"]) < len(whole[1].files["model.onnx"])
    assert found.scorer != whole[1].scorer
    store, parts = open_store(str(prefixes["face"])), []
    for name in "AB":
        manifest = Manifest.open(store, name)
        for raw in scan(store, manifest, "validation", image_size=32, batch=64):
            parts += zip(raw.keys, scored(found).score(raw.image), strict=True)
    scores = Scores.from_parquet(run.read("validation.parquet"))
    own = replace(scores, score=np.array([dict(parts)[key] for key in scores.key]))
    for unit in ("frame", "video"):
        expected = thresholds.from_sources(own, unit)
        assert found.thresholds[unit].value == pytest.approx(expected.value, abs=1e-6)
        assert found.thresholds[unit].source.endswith("scored in int8")
        assert found.thresholds[unit].value != model(run).thresholds[unit].value
        for point in found.operating_points[unit].values():
            assert point.origin["data"].endswith("scored in int8")
    cost = result["int8"]
    assert cost["auc"]["frame"]["fp32"] == pytest.approx(auc(scores))
    assert cost["auc"]["frame"]["int8"] == pytest.approx(auc(own))
    assert 0 < cost["distance"]["mean"] <= cost["distance"]["largest"] < 0.5
    text = found.files["card.md"].decode()
    assert "## What int8 costs" in text
    assert "its thresholds were set on its own scores" in text.replace("Its", "its")


def auc(scores: Scores) -> float:
    live, attack = scores.score[scores.label == 1], scores.score[scores.label == 0]
    return float((live[:, None] > attack).mean() + (live[:, None] == attack).mean() / 2)


def test_a_model_with_a_threshold_of_ones_own_keeps_it_in_fp32_and_is_refused_in_int8(run, tmp_path):
    parent, place = model(run), open_store(str(tmp_path / "child"))
    own = Threshold(0.77, "video", "my shop", 0.1)
    package.save_child(place, parent, [parent.thresholds["frame"], own], {})
    child = package.read(place)
    result, found = exported(Order(child), tmp_path)
    assert found.thresholds["video"] == own
    assert found.parent == child.sha256
    assert any("because a model was given" in note for note in result["notes"])
    with pytest.raises(PackageError, match="were set on scores of your own data"):
        export(Order(child, int8=True), open_store(str(tmp_path / "int8")), lambda _: None)
    assert open_store(str(tmp_path / "int8")).list() == []


def test_without_its_shards_a_run_is_compared_on_shipped_faces_and_has_its_figures(tmp_path):
    run = open_store(str(BEFORE / "runs/finished"))  # of an earlier version, whose shards are elsewhere
    result, found = exported(Order(model(run), run), tmp_path)
    assert result["checked"]["on"] == "generated faces that come with rfmeta_dist"
    assert result["checked"]["crops"] == 200
    assert any("because the sources cannot be read" in note for note in result["notes"])
    evaluation = json.loads(run.read("evaluation.json"))
    assert found.about["figures"]["figures"] == evaluation["figures"]
    figures = json.loads(found.files["card.json"])["figures"]
    assert figures["video"]["HTER"]["low"] == evaluation["figures"]["video"]["HTER"]["low"]
    assert "| video | HTER | 35.0 % | 15.0 % to 50.0 % |" in found.files["card.md"].decode()
    with pytest.raises(PackageError, match="cannot be read") as refused:
        export(Order(model(run), run, int8=True), open_store(str(tmp_path / "int8")), lambda _: None)
    assert "--shards" in refused.value.remedy


def test_shards_that_have_moved_are_named(tmp_path):
    run = open_store(str(BEFORE / "runs/finished"))
    result, _ = exported(Order(model(run), run, shards=str(SHARDS)), tmp_path)
    assert "validation splits of O, C, I" in result["checked"]["on"]
    with pytest.raises(DataError, match=r"none|no domains"):
        export(Order(model(run), run, shards=str(tmp_path)), open_store(str(tmp_path / "x")), lambda _: None)


def test_figures_of_another_model_or_a_damaged_file_of_figures_are_not_taken(run, tmp_path):
    other = open_store(str(tmp_path / "run"))
    for name in run.list("model"):
        other.write(name, run.read(name))
    other.write("evaluation.json", (BEFORE / "runs/finished/evaluation.json").read_bytes())
    result, found = exported(Order(model(other), other), tmp_path)
    assert found.about["figures"] is None
    assert any("written for another model" in note for note in result["notes"])
    other.write("evaluation.json", b"{}")
    with pytest.raises(RunError, match=r"evaluation\.json is damaged"):
        export(Order(model(other), other), open_store(str(tmp_path / "x")), lambda _: None)


def test_thresholds_of_tf32_scores_are_set_again(finished, tmp_path):
    def on_gpu(config: Config) -> Config:
        training = config.training.model_copy(update={"precision": "tf32", "gpus": 1})
        return config.model_copy(update={"training": training})

    run = finished(tmp_path / "runs", change=on_gpu)
    result, found = exported(Order(model(run), run), tmp_path)
    assert found.thresholds["video"].source.endswith("scored in fp32")
    assert found.thresholds["video"].value == pytest.approx(model(run).thresholds["video"].value, abs=1e-5)
    assert any("tf32" in note for note in result["notes"])


def test_nothing_is_written_if_the_folder_is_in_use_or_the_model_is_broken(finished, run, tmp_path):
    used = open_store(str(tmp_path / "used"))
    used.write("mine.txt", b"mine")
    with pytest.raises(PackageError, match="not empty"):
        export(Order(model(run), run), used, lambda _: None)
    assert used.list() == ["mine.txt"]
    nets = lively(seed=5)
    good = finished(tmp_path / "runs", nets=nets)
    contents = model(good)
    with torch.no_grad():
        nets.M.fc2_1.weight.fill_(float("nan"))
    broken = open_store(str(tmp_path / "broken"))
    from rfmeta_dist.config.schema import Model
    from rfmeta_dist.recipes.gradient import GradientDetector

    facts = {name: contents.about[name] for name in ("step", "recalibration", "data", "config")}
    chosen = list(contents.thresholds.values())
    package.save(broken, GradientDetector(nets, Model(width=0.1)), contents.view, chosen, facts)
    out = open_store(str(tmp_path / "out"))
    with pytest.raises(DivergedError, match="not a number"):
        export(Order(package.read(broken)), out, lambda _: None)
    assert out.list() == []
