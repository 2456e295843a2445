"""Each learning rule under Ray, with workers of which one is killed: the same bits, a model, and figures."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.storage.store import Store
from tests.cluster.conftest import descendants

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("cluster")]

STEPS, KILLED = 200, 101  # the news of a step comes late; a method of two phases is then in its second one


def configured(configure: Any, name: str, method: str) -> Config:
    """A run of two workers; of a rule with a single task, each has an episode of its own."""
    episodes = 2 if RULES[method].count(3) == 1 else 1
    tree = configure(name, steps=STEPS, checkpoint_every=20, episodes=episodes).model_dump(mode="json")
    return check(tree | {"method": {"name": method}}, "test")


def hurt(config: Config) -> Store:
    killed: list[int] = []

    def kill(row: StepRow) -> None:
        if row["step"] >= KILLED and not killed:
            killed.append(descendants("ray::RayTrainWorker")[-1])
            os.kill(killed[0], signal.SIGKILL)

    folder = train_run(config, kill, local=True)
    assert killed
    return folder


@pytest.mark.parametrize("method", RULES)
def test_a_killed_worker_changes_no_bit_of_a_rule_and_its_model_is_judged(configure: Any, method: str) -> None:
    whole, other = (configured(configure, f"{method}-{name}", method) for name in ("whole", "hurt"))
    folder = train_run(whole, lambda _: None, local=True)
    last = f"step-{STEPS:07d}/model.safetensors"
    assert hurt(other).read(last) == folder.read(last)
    found = evaluate_run(whole, folder)
    assert found["method"] == method
    assert 0 <= found["figures"]["video"]["AUC"]["value"] <= 1
