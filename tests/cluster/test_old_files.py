"""What earlier versions wrote still opens, goes on to the same weights, is judged the same and reported."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file
from torch.nn import functional

from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.config.load import check, load_config
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.report import page, records
from rfmeta_dist.storage.store import open_store

BEFORE = Path(__file__).parent.parent / "fixtures/before_renames"
# SHA-256 of `_kernels()` on the machine that made the files.
KERNELS_THEN = "9a98d234d673054640a62aa6f0eb72eea2e6630536c0d83b6c1f70a9f4f575e9"


def _kernels() -> str:
    """A hash that tells whether this processor rounds convolutions as the one that made the files did."""
    torch.set_num_threads(1)
    x = torch.sin(torch.arange(4 * 6 * 32 * 32, dtype=torch.float32)).view(4, 6, 32, 32).requires_grad_()
    w = torch.cos(torch.arange(8 * 6 * 9, dtype=torch.float32)).view(8, 6, 3, 3).requires_grad_()
    y = functional.elu(functional.batch_norm(functional.conv2d(x, w, padding=1), None, None, training=True))
    functional.linear(y.flatten(1), torch.ones(1, 8 * 32 * 32)).sigmoid().sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    return hashlib.sha256(x.grad.numpy().tobytes() + w.grad.numpy().tobytes()).hexdigest()


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The files, in another place than the one that their configurations name."""
    return Path(shutil.copytree(BEFORE, tmp_path / "moved"))


def _config(moved: Path, run: str) -> Config:
    """The configuration as its user gives it again: the file of then, and where things are now."""
    places = (f"run.name={run}", f"run.folder={moved}/runs", f"data.prefix={moved}/shards")
    return load_config(moved / "run.yaml", places)


@pytest.mark.drill
def test_an_interrupted_run_goes_on_to_the_weights_it_would_have_had(cluster: None, moved: Path) -> None:
    news: list[dict[str, object]] = []
    folder = train_run(_config(moved, "interrupted"), news.append, local=True)
    assert news[0]["step"] == 12, "it started from an earlier step"
    found = load_file(f"{folder.url}/step-0000024/model.safetensors")
    expected = load_file(BEFORE / "runs/finished/step-0000024/model.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        if _kernels() == KERNELS_THEN:
            assert np.array_equal(found[name], tensor), name
        else:  # twelve steps of Adam magnify another processor's rounding
            np.testing.assert_allclose(found[name], tensor, rtol=0.05, atol=5e-3, err_msg=name)


def test_a_finished_run_is_judged_again_and_reported(cluster: None, moved: Path) -> None:
    config = _config(moved, "finished")
    folder = train_run(config, lambda _: None, local=True)
    assert sorted(Path(folder.url).glob("step-*"))[-1].name == "step-0000024", "it was trained again"
    assert page.render(records.read_record(folder.read)), "the page of what was judged then"
    then = json.loads(folder.read("evaluation.json"))
    now = evaluate_run(config, folder)
    for unit in ("frame", "video"):
        for figure in ("HTER", "AUC", "oracle_EER"):
            found, earlier = (result["figures"][unit][figure]["value"] for result in (now, then))
            assert found == pytest.approx(earlier, abs=1e-4)
    html = page.render(records.read_record(folder.read))
    assert "O&amp;C&amp;I→M" in html or "O&C&I→M" in html


def test_shards_and_configurations_of_before_open() -> None:
    store = open_store(str(BEFORE / "shards"))
    assert {name: len(Manifest.open(store, name).shards) for name in "OCIM"} == dict.fromkeys("OCIM", 6)
    stored = check(yaml.safe_load((BEFORE / "runs/finished/config.yaml").read_text()), "fixture")
    assert stored == load_config(BEFORE / "run.yaml")
