"""The average of the weights follows its formula, survives a restart, and changes nothing of the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config, Model
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.models.build import build as build_networks
from rfmeta_dist.recipes.gradient import from_checkpoint
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.average import Average
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from tests.stored import SHARDS

CPU = torch.device("cpu")
NAME = "M.bn2_3.weight"


@given(decay=st.floats(0.01, 0.999), steps=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_it_weighs_the_weights_of_each_step_by_its_formula(decay: float, steps: int, seed: int):
    nets = build_networks(Model(width=0.02)).double()
    average, parameter = Average(nets, decay), dict(nets.named_parameters())[NAME]
    values = np.random.default_rng(seed).normal(size=(steps, *parameter.shape))
    for number, value in enumerate(values, 1):
        parameter.data.copy_(torch.from_numpy(value))
        average.add(number)
    weights = (1 - decay) * decay ** np.arange(steps - 1, -1, -1) / (1 - decay**steps)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(average.state()[NAME].numpy(), weights @ values, rtol=1e-9, atol=1e-12)


def configuration(average: float | None) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {"prefix": str(SHARDS), "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 2},
        "model": {"width": 0.03},
        "training": {"steps": 4, "average": average, "workers": 1, "strategy": "single"},
    }
    return check({**tree, "method": {"name": "no_depth"}}, "test")


def trained(config: Config, folder: Store, stops: tuple[int, ...] = ()) -> checkpoint.Saved:
    """Train to the end, with a new process's state after each of the stops; return the last checkpoint."""
    for until in (*stops, config.training.steps):
        sources, trainer = Sources.of(config), build(config, Single(), CPU)
        batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
        progress = Progress()
        if folder.exists("state.json"):
            progress = checkpoint.restore(checkpoint.read(folder), trainer, ["f"])

        def save(done: Progress, trainer: object = trainer) -> None:
            checkpoint.save(folder, trainer, trainer.strategy.moments(), done, "f")

        hooks = Hooks(lambda _: None, save, lambda *_: None)
        train(config, trainer, batches, hooks, progress, CPU, until)
    return checkpoint.read(folder)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_training_stays_the_same_bit_for_bit_and_so_does_a_resumed_average(tmp_path: Path):
    without = trained(configuration(None), open_store(str(tmp_path / "without")))
    averaged = trained(configuration(0.5), open_store(str(tmp_path / "averaged")))
    resumed = trained(configuration(0.5), open_store(str(tmp_path / "resumed")), stops=(1, 3))
    assert without.average == {}
    assert same(without.weights, averaged.weights)
    assert same(without.moments, averaged.moments)
    assert averaged.average.keys() == averaged.weights.keys() - {n for n in averaged.weights if "running" in n}
    assert not torch.equal(averaged.average["F.conv1_1.weight"], averaged.weights["F.conv1_1.weight"])
    assert same(averaged.average, resumed.average)


def test_a_checkpoint_without_an_average_has_the_files_that_it_always_had(tmp_path: Path):
    folder = open_store(str(tmp_path))
    trained(configuration(None), folder)
    names = {"model.safetensors", "optimizer.safetensors", "metrics.jsonl", "state.json"}
    assert set(folder.list()) == names


def test_an_average_is_not_begun_in_the_middle_of_a_training(tmp_path: Path):
    folder = open_store(str(tmp_path))
    trained(configuration(None), folder)
    before = {name: folder.read(name) for name in folder.list()}
    with pytest.raises(RunError, match="holds no average of the weights"):
        trained(configuration(0.9), folder)
    with pytest.raises(RunError, match="holds no average of the weights"):
        from_checkpoint(configuration(0.9), folder, Sources.of(configuration(0.9)), CPU, averaged=True)
    assert {name: folder.read(name) for name in folder.list()} == before
