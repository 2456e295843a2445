"""A saved model loads as the same model; a damaged one is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save as tensor_bytes

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.digests import digest, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.api import OperatingPoint, Threshold, View
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import Store, open_store

BEFORE = Path(__file__).parent.parent / "fixtures/before_renames"
VIEW = View(32, {"margin": 0.3})
THRESHOLDS = [Threshold(0.25, "frame", "somewhere", 0.1), Threshold(0.5, "video", "somewhere", 0.05)]


def detector() -> GradientDetector:
    return GradientDetector(Networks(0.1).initialise(3), Model(width=0.1))


def faces(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


@pytest.fixture
def folder(tmp_path) -> Store:
    store = open_store(str(tmp_path))
    package.save(store, detector(), VIEW, THRESHOLDS, {"step": 7})
    return store


def test_a_package_comes_back_ready_to_judge(folder):
    model = load_model(folder)
    assert model.thresholds == {t.unit: t for t in THRESHOLDS}
    assert (model.view, model.about["step"], model.about["parent"]) == (VIEW, 7, None)
    assert np.array_equal(model.detector.score(faces(3)), detector().score(faces(3)))


def test_operating_points_come_back_and_older_packages_have_none(folder, tmp_path):
    assert "operating_points" not in json.loads(folder.read("package.json"))
    assert load_model(folder).operating_points == {}
    point = OperatingPoint(0.4, {"unit": "video", "recordings": {"live": 3}}, {"BPCER": 0.1}, "too few")
    store = open_store(str(tmp_path / "points"))
    package.save(store, detector(), VIEW, THRESHOLDS, {"step": 7}, {"video": {"bpcer@apcer5": point}})
    assert load_model(store).operating_points == {"video": {"bpcer@apcer5": point}}


def test_a_child_scores_as_its_parent_and_names_it(folder, tmp_path):
    parent = package.read(folder)
    point = OperatingPoint(0.7, {"unit": "video"}, {"BPCER": 0.1})
    chosen = [THRESHOLDS[0], Threshold(0.7, "video", "my shop", 0.1)]
    store = open_store(str(tmp_path / "child"))
    package.save_child(store, parent, chosen, {"video": {"eer": point}})
    child, model = package.read(store), load_model(store)
    assert child.about["parent"] == digest(folder.read("package.json"))
    assert child.about["files"] == parent.about["files"]
    assert child.scorer == parent.scorer
    assert model.thresholds == {t.unit: t for t in chosen}
    assert np.array_equal(model.detector.score(faces(3)), detector().score(faces(3)))
    with pytest.raises(RunError, match="not empty"):
        package.save_child(store, parent, chosen, {})


def test_models_of_other_weights_or_another_view_are_other_scorers(folder, tmp_path):
    other, smaller = (open_store(str(tmp_path / name)) for name in ("other", "smaller"))
    package.save(other, GradientDetector(Networks(0.1).initialise(4), Model(width=0.1)), VIEW, THRESHOLDS, {})
    package.save(smaller, detector(), View(16, {"margin": 0.3}), THRESHOLDS, {})
    assert len({package.read(place).scorer for place in (folder, other, smaller)}) == 3
    again = open_store(str(tmp_path / "again"))  # a second training that gave the same weights
    again.write("certificate.json", b'{"passed": true}')
    package.save(again, detector(), VIEW, THRESHOLDS, {"step": 8})
    assert package.read(again).scorer == package.read(folder).scorer


def test_how_patches_are_cut_comes_back_and_of_whole_faces_nothing_is_said(folder, tmp_path):
    assert json.loads(folder.read("package.json"))["view"].keys() == {"image_size", "crop", "pool"}
    view = View(32, None, patches=Patches(grid=5, middle=0.25))
    store = open_store(str(tmp_path / "patches"))
    package.save(store, detector(), view, THRESHOLDS, {})
    assert load_model(store).view == view
    about = json.loads(store.read("package.json"))
    del about["sha256"]
    about["view"]["patches"]["pool"] = "largest"
    store.write("package.json", json.dumps(with_digest(about)).encode())
    with pytest.raises(RunError, match=r"the pool 'mean', but .*the pool 'largest'"):
        load_model(store)


@pytest.mark.parametrize("name", ["package.json", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 64])
def test_a_damaged_package_is_named(folder, name, content):
    folder.write(name, content)
    with pytest.raises(RunError, match="damaged"):
        load_model(folder)


@pytest.mark.parametrize("part", [0.001, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", ["package.json", "weights.safetensors", "certificate.json"])
def test_one_flipped_bit_is_named(tmp_path, name, part):
    store = open_store(str(tmp_path))
    store.write("certificate.json", b'{"passed": true}')
    package.save(store, detector(), VIEW, THRESHOLDS, {"step": 7})
    load_model(store)
    data = bytearray(store.read(name))
    data[int(part * len(data))] ^= 2
    store.write(name, bytes(data))
    with pytest.raises(RunError, match=r"is damaged.*|has format") as caught:
        load_model(store)
    assert name in str(caught.value) or name == "package.json"


def test_packages_of_the_first_format_open_with_and_without_hashes(tmp_path):
    shutil.copytree(BEFORE / "runs/finished/model", tmp_path / "model")
    folder = open_store(str(tmp_path / "model"))
    model = load_model(folder)
    assert (model.view.image_size, model.about["format"], model.about["kind"]) == (32, 2, "gradient")
    scores = model.detector.score(faces(2))
    about = json.loads(folder.read("package.json"))
    about["files"] = {name: digest(folder.read(name)) for name in ("weights.safetensors", "certificate.json")}
    folder.write("package.json", json.dumps(with_digest(about)).encode())
    assert np.array_equal(load_model(folder).detector.score(faces(2)), scores)
    folder.write("weights.safetensors", folder.read("weights.safetensors")[:-1] + b"!")
    with pytest.raises(RunError, match=r"weights\.safetensors does not match its SHA-256"):
        load_model(folder)


def test_weights_of_other_networks_are_refused(folder):
    about = json.loads(folder.read("package.json"))
    folder.write("weights.safetensors", tensor_bytes({"F.other": torch.ones(3)}))
    del about["sha256"]
    about["files"]["weights.safetensors"] = digest(folder.read("weights.safetensors"))
    folder.write("package.json", json.dumps(with_digest(about)).encode())
    with pytest.raises(RunError, match="damaged"):
        load_model(folder)


def test_another_kind_of_detector_is_named(folder):
    about = json.loads(folder.read("package.json"))
    del about["sha256"]
    folder.write("package.json", json.dumps(with_digest({**about, "kind": "crystal"})).encode())
    with pytest.raises(RunError, match=r"kind crystal, but this .* can only load gradient, features; .*that"):
        load_model(folder)


def test_a_package_without_its_last_file_is_none(folder):
    folder.delete("package.json")
    with pytest.raises(RunError, match="there is no model"):
        load_model(folder)


def test_another_format_is_refused(folder):
    folder.write("package.json", folder.read("package.json").replace(b'"format": 2', b'"format": 99'))
    with pytest.raises(RunError, match="format 99"):
        load_model(folder)
