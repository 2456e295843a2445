"""Recalibration and scoring."""

import numpy as np
import pytest
import torch

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.detectors.api import ScoreError
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.recalibration import recalibrate

CPU = torch.device("cpu")


def raw(seed: int, size: int = 6) -> RawBatch:
    rng = np.random.default_rng(seed)
    image = rng.integers(
        0, 256 >> seed % 2, (size, 32, 32, 3), dtype=np.uint8
    )  # two brightnesses, as two domains
    return RawBatch(image, np.zeros((size, 4, 4), np.uint8), np.zeros(size, np.float32), ("k",) * size)


def score(nets: Networks, batch: RawBatch) -> np.ndarray:
    return GradientDetector(nets, Model(width=0.1)).score(batch.image)


def test_statistics_become_the_pooled_moments_of_all_batches():
    nets = Networks(width=0.1).initialise(0)
    batches = [raw(seed) for seed in range(4)]
    assert recalibrate(nets, batches, CPU) == 4
    first = nets.F.get_submodule("conv1_1")
    x = first(torch.cat([to_input(b.image) for b in batches])).double()
    layer = nets.F.get_submodule("bn1_1")
    assert torch.allclose(layer.running_mean.double(), x.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(layer.running_var.double(), x.var((0, 2, 3)), rtol=1e-3)


def test_the_order_of_the_batches_does_not_matter():
    """After training it does: a moving average remembers which domain came last."""
    batches = [raw(seed) for seed in range(4)]
    scores = []
    for order in (batches, batches[::-1]):
        nets = Networks(width=0.1, meta_learner_momentum=1.0).initialise(0)
        recalibrate(nets, order, CPU)
        scores.append(score(nets, batches[0]))
    assert np.allclose(*scores, atol=1e-6)


def test_networks_that_diverged_are_named_and_not_the_sample_blamed():
    nets = Networks(width=0.1).initialise(0)
    recalibrate(nets, [raw(0)], CPU)
    weight = nets.M.get_submodule("conv2_1").weight
    with torch.no_grad():
        weight[0, 0] = torch.inf
    told = r"its weights are not finite, so the training diverged; .*rate"
    with pytest.raises(ScoreError, match=told) as caught:
        score(nets, raw(1))
    assert str(caught.value.of("k")).startswith(
        "the model gives a score that is not a number for sample k: its"
    )
    with torch.no_grad():
        for parameter in nets.parameters():
            parameter.copy_(torch.full_like(parameter, 3e38))
    with pytest.raises(ScoreError, match=r"its weights are finite, but as large as 3\.0e\+38"):
        score(nets, raw(1))


def test_a_score_does_not_depend_on_its_neighbours():
    nets = Networks(width=0.1).initialise(0)
    recalibrate(nets, [raw(0)], CPU)
    batch = raw(1)
    alone = RawBatch(batch.image[:1], batch.depth[:1], batch.label[:1], batch.keys[:1])
    assert np.allclose(score(nets, batch)[:1], score(nets, alone), atol=1e-6)


def test_a_score_is_the_probability_of_live():
    """A higher bias of the last layer adds to every logit, and so to every score."""
    nets = Networks(width=0.1).initialise(0)
    recalibrate(nets, [raw(0)], CPU)
    bias = nets.M.get_submodule("fc2_1").bias
    odds = []
    for value in (-1.0, 0.0, 2.0):
        with torch.no_grad():
            bias.fill_(value)
        scores = score(nets, raw(1))
        assert scores.dtype == np.float64
        odds.append(np.log(scores / (1 - scores)) - value)
    assert np.allclose(odds[0], odds[1], atol=1e-5)
    assert np.allclose(odds[2], odds[1], atol=1e-5)
