"""W workers that begin with a model compute what one does from the same weights, with DDP and with ZeRO."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as tensor_bytes

from rfmeta_dist.config.training import Training
from rfmeta_dist.detectors.api import View
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.begin import begin
from tests import episodes
from tests.strategy.test_parity import STEPS, Case, advance, assert_agree, trainer
from tests.team import team

CASE = Case(domains=4, size=6, episodes=2)


def weights() -> dict[str, torch.Tensor]:
    return episodes.networks(seed=7).state_dict()


def further(strategy: Strategy, stop: int) -> dict[str, Any]:
    """Begin with other weights than the seed's; after no step, the weights and statistics are those."""
    view, files = View(episodes.SIZE), {"weights.safetensors": tensor_bytes(weights())}
    run = trainer(CASE, strategy)
    begin(run, Contents("m", "gradient", {}, files, view, {}, {}, "", "", {}))
    return advance(run, CASE, 0, stop)


def run_further(strategy: str, stop: int) -> dict[str, Any]:
    return further(make(Training(strategy=strategy)), stop)


@pytest.mark.parametrize("strategy", ["ddp", "deepspeed"])
def test_two_workers_begin_with_the_weights_of_a_model(strategy):
    model = episodes.networks(seed=7)
    for rank in team(2).run(run_further, strategy, 0):
        assert np.array_equal(rank["parameters"], episodes.parameters(model).numpy())
        assert np.array_equal(rank["statistics"], episodes.buffers(model).numpy())
    assert_agree(further(Single(), STEPS), team(2).run(run_further, strategy, STEPS))
