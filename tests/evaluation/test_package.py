"""A model goes to storage and comes back the same; a damaged one is refused."""

import json

import pytest
import torch
from safetensors.torch import save as tensor_bytes

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation import package
from rfmeta_dist.evaluation.thresholds import Threshold
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.storage.store import Store, open_store

CONFIG = {"model": {"width": 0.1, "batch_norm": "stable"}, "data": {"image_size": 32}}
THRESHOLDS = [Threshold(0.25, "frame", "somewhere", 0.1), Threshold(0.5, "video", "somewhere", 0.05)]


@pytest.fixture
def folder(tmp_path) -> Store:
    store = open_store(str(tmp_path))
    package.save(store, Networks(0.1).initialise(3), CONFIG, THRESHOLDS, {"step": 7})
    return store


def test_a_package_comes_back_ready_to_judge(folder):
    model = package.load(folder)
    assert not model.nets.training
    assert model.thresholds == {t.unit: t for t in THRESHOLDS}
    assert (model.image_size, model.about["step"]) == (32, 7)
    image = torch.rand(2, 6, 32, 32)
    assert torch.equal(model.nets.logits(image), Networks(0.1).initialise(3).eval().logits(image))


@pytest.mark.parametrize("name", ["package.json", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 64])
def test_a_damaged_package_is_named(folder, name, content):
    folder.write(name, content)
    with pytest.raises(RunError, match="damaged"):
        package.load(folder)


@pytest.mark.parametrize("part", [0.001, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", ["package.json", "weights.safetensors", "certificate.json"])
def test_one_flipped_bit_is_named(tmp_path, name, part):
    store = open_store(str(tmp_path))
    store.write("certificate.json", b'{"passed": true}')
    package.save(store, Networks(0.1).initialise(3), CONFIG, THRESHOLDS, {"step": 7})
    package.load(store)
    data = bytearray(store.read(name))
    data[int(part * len(data))] ^= 2
    store.write(name, bytes(data))
    with pytest.raises(RunError, match=r"is damaged.*|has format") as caught:
        package.load(store)
    assert name in str(caught.value) or name == "package.json"


def test_a_package_without_hashes_still_opens_and_its_weights_must_fit(folder):
    about = json.loads(folder.read("package.json"))
    for name in ("sha256", "files"):
        about.pop(name, None)
    folder.write("package.json", json.dumps(about).encode())
    assert package.load(folder).about["step"] == 7
    folder.write("weights.safetensors", tensor_bytes({"F.other": torch.ones(3)}))
    with pytest.raises(RunError, match="damaged"):
        package.load(folder)


def test_a_package_without_its_last_file_is_none(folder):
    folder.delete("package.json")
    with pytest.raises(RunError, match="there is no model"):
        package.load(folder)


def test_another_format_is_refused(folder):
    folder.write("package.json", folder.read("package.json").replace(b'"format": 1', b'"format": 99'))
    with pytest.raises(RunError, match="format 99"):
        package.load(folder)
