"""A deployment package comes back as it was written; one that was edited in any file is refused by its name."""

import json
from dataclasses import asdict

import pytest

from rfmeta_dist.core.digests import digest, with_digest
from rfmeta_dist.core.errors import PackageError, StorageError
from rfmeta_dist.deploy import package
from rfmeta_dist.detectors.api import OperatingPoint, Threshold
from rfmeta_dist.storage.local import LocalStore
from rfmeta_dist.storage.store import Store, open_store

FILES = {"model.onnx": b"\x08\x0a weights", "card.md": b"# card", "card.json": b"{}"}
THRESHOLDS = {unit: Threshold(0.25, unit, "somewhere", 0.1) for unit in ("frame", "video")}
POINT = OperatingPoint(0.4, {"unit": "video", "recordings": {"live": 3}}, {"BPCER": 0.1}, "too few")
ABOUT = {
    "kind": "onnx",
    "name": "shop",
    "precision": "fp32",
    "parent": digest(b"package.json"),
    "input": {"size": [32, 32], "color": "RGB", "dtype": "uint8", "crop": {"margin": 0.3}, "detector": {}},
    "thresholds": {unit: asdict(found) for unit, found in THRESHOLDS.items()},
    "operating_points": {"video": {"bpcer@apcer5": asdict(POINT)}},
    "view": "the whole face at 32×32 pixels",
}


@pytest.fixture
def folder(tmp_path) -> Store:
    store = open_store(str(tmp_path / "package"))
    package.write(store, FILES, ABOUT)
    return store


def edited(folder: Store, **fields: object) -> None:
    """Change fields of deploy.json as somebody would who also makes its own hash fit."""
    about = json.loads(folder.read("deploy.json"))
    del about["sha256"]
    folder.write("deploy.json", json.dumps(with_digest({**about, **fields})).encode())


def test_a_package_comes_back_with_everything_a_service_needs(folder):
    found = package.read(folder)
    assert (found.kind, found.name, found.precision, found.parent) == ("onnx", "shop", "fp32", ABOUT["parent"])
    assert found.input == ABOUT["input"]
    assert found.thresholds == THRESHOLDS
    assert found.operating_points == {"video": {"bpcer@apcer5": POINT}}
    assert found.files == FILES
    assert found.sha256 == digest(folder.read("deploy.json"))
    assert found.about["view"] == ABOUT["view"]


@pytest.mark.parametrize("name", [*FILES, "deploy.json"])
def test_a_package_edited_by_hand_is_refused_by_the_name_of_the_file(folder, name):
    data = bytearray(folder.read(name))
    data[len(data) // 2] ^= 1
    folder.write(name, bytes(data))
    with pytest.raises(PackageError, match=f"^{name} of the deployment package at .* was changed"):
        package.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    folder.delete(name)
    with pytest.raises(PackageError, match=f"^{name} .*it is missing"):
        package.read(folder)


def test_an_edited_threshold_is_refused(folder):
    text = folder.read("deploy.json").decode()
    assert text.count('"value": 0.25') == 2
    folder.write("deploy.json", text.replace('"value": 0.25', '"value": 0.05').encode())
    with pytest.raises(PackageError, match=r"^deploy\.json .*its own SHA-256"):
        package.read(folder)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}'])
def test_what_is_no_deploy_json_is_refused_in_one_line(folder, data):
    folder.write("deploy.json", data)
    with pytest.raises(PackageError, match=r"^deploy\.json of the deployment package"):
        package.read(folder)


def test_another_formats_version_is_told_from_damage(folder):
    edited(folder, format=2)
    with pytest.raises(PackageError, match="has format 2, but this version reads format 1"):
        package.read(folder)


def test_a_kind_that_a_later_version_brings_is_told_from_damage(folder):
    other = open_store(folder.url + "-features")
    package.write(other, FILES, {**ABOUT, "kind": "features"})
    with pytest.raises(PackageError, match="kind features"):
        package.read(other)


@pytest.mark.parametrize(
    "fields",
    [
        {"thresholds": {}},
        {"thresholds": {unit: {**asdict(t), "value": "high"} for unit, t in THRESHOLDS.items()}},
        {"thresholds": {unit: {**asdict(t), "value": float("nan")} for unit, t in THRESHOLDS.items()}},
        {"operating_points": {"video": {"eer": {"value": 1}}}},
        {"operating_points": {"frame": {"eer": {"value": float("nan"), "origin": {}, "reached": {}}}}},
        {"operating_points": {"frame": {"eer": {"value": "high", "origin": {}, "reached": {}}}}},
        {"files": ["model.onnx"]},
        {"files": {"card.md": digest(FILES["card.md"])}},
        {"input": None},
        {"input": {**ABOUT["input"], "size": [64, 64]}},  # it is part of what a score depends on
    ],
)
def test_fields_that_cannot_be_are_refused_though_the_hash_fits(folder, fields):
    edited(folder, **fields)
    with pytest.raises(PackageError, match=r"^deploy\.json .*was changed"):
        package.read(folder)


def test_a_name_that_leads_out_of_the_folder_is_not_read(folder):
    edited(folder, files={**{n: digest(d) for n, d in FILES.items()}, "../secret": digest(b"")})
    with pytest.raises(StorageError, match="not a valid object name"):
        package.read(folder)


@pytest.mark.parametrize(
    ("name", "what"), [("package.json", "trained model"), ("model/package.json", "run"), ("config.yaml", "run")]
)
def test_a_run_or_a_trained_model_is_told_to_be_exported_first(tmp_path, name, what):
    store = open_store(str(tmp_path))
    store.write(name, b"{}")
    with pytest.raises(PackageError, match=what) as found:
        package.read(store)
    assert f"rfmeta export {store.url} --out" in found.value.remedy


def test_any_other_folder_is_no_package(tmp_path):
    with pytest.raises(PackageError, match="there is no deployment package"):
        package.read(open_store(str(tmp_path / "nothing")))


def test_nothing_is_overwritten(folder):
    before = {name: folder.read(name) for name in folder.list()}
    with pytest.raises(PackageError, match="not empty"):
        package.write(folder, FILES, ABOUT)
    assert {name: folder.read(name) for name in folder.list()} == before


def test_a_package_that_cannot_be_written_to_its_end_leaves_nothing(tmp_path):
    class Full(LocalStore):
        def write(self, name: str, data: bytes) -> None:
            if name == "deploy.json":
                raise StorageError("the disk is full", "free some space")
            super().write(name, data)

    store = Full.at(str(tmp_path / "full"))
    with pytest.raises(StorageError, match="full"):
        package.write(store, FILES, ABOUT)
    assert store.list() == []


def test_scores_depend_on_model_and_input_and_not_on_thresholds_or_card(tmp_path):
    changes = [
        ({}, {}),
        ({"card.md": b"# another"}, {}),
        ({}, {"thresholds": {unit: {**asdict(t), "value": 0.9} for unit, t in THRESHOLDS.items()}}),
        ({"model.onnx": b"other"}, {}),
        ({}, {"input": {**ABOUT["input"], "crop": {"margin": 0.4}}}),
    ]
    scorers = []
    for index, (files, fields) in enumerate(changes):
        store = open_store(str(tmp_path / str(index)))
        package.write(store, {**FILES, **files}, {**ABOUT, **fields})
        scorers.append(package.read(store).scorer)
    assert scorers[0] == scorers[1] == scorers[2]
    assert len(set(scorers)) == 3
