"""Each learning rule trains, survives SIGKILL with the same bits, is judged on its target, and scores faces."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.cluster import judging
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.methods import METHODS
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import kept
from tests.trained_here import KILLED, STEPS, configuration, trained


def state(folder: Store) -> list[bytes]:
    last = folder.sub(kept.folder_name(STEPS))
    return [last.read(name) for name in ("model.safetensors", "optimizer.safetensors")]


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_training_goes_on_to_the_same_bits_and_its_model_is_judged(method: str, tmp_path: Path):
    config, hurt = (configuration(tmp_path, name, method) for name in ("whole", "hurt"))
    folder, other = (prepare(one).folder for one in (config, hurt))
    assert trained(config, kill=False) == 0
    assert trained(hurt, kill=True) == -signal.SIGKILL
    assert 0 < max(kept.written(other)) <= KILLED
    assert trained(hurt, kill=False) == 0
    assert state(other) == state(folder)
    judging.finish(config, folder, "cpu")
    found = judging.evaluate(config, folder, "cpu")
    assert found["method"] == method
    assert 0 <= found["figures"]["video"]["AUC"]["value"] <= 1
    faces = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    scores = load_model(folder.sub("model")).detector.score(faces)
    assert scores.shape == (8,)
    assert np.unique(scores).size > 1
