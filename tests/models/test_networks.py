"""The networks have the paper's layers, shapes and names."""

import pytest
import torch

from rfmeta_dist.models.networks import Networks


def test_parameter_counts_are_the_papers():
    nets = Networks()
    counts = {n: sum(p.numel() for p in nets.get_submodule(n).parameters()) for n in "FMD"}
    assert counts == {"F": 1_731_108, "M": 1_625_217, "D": 517_251}


@pytest.mark.parametrize("size", [32, 64, 96])
def test_shapes_follow_the_input_size(size):
    nets = Networks(width=0.1)
    features = nets.F(torch.rand(2, 6, size, size))
    assert features.deep.shape == (2, 13, size // 8, size // 8)
    assert nets.M(features.deep).shape == (2,)
    depth = nets.D(features.shallow)
    assert depth.shape == (2, 1, size // 8, size // 8)
    assert depth.min() >= 0


def test_training_and_evaluation_agree_when_the_statistics_do():
    """Training leaves out the bias, but the running mean includes it, so evaluation gives the same result."""
    nets = Networks(width=0.1, meta_learner_momentum=1.0).initialise(0)
    with torch.no_grad():
        for name, p in nets.named_parameters():
            if "conv" in name and name.endswith("bias"):
                p.uniform_(-2, 2)
    layer = nets.F.get_submodule("bn1_1")
    layer.momentum = 1.0
    image = torch.rand(8, 6, 32, 32)
    trained = nets.F.block(1, image)
    with torch.no_grad():
        layer.running_mean.copy_(layer.observed[0])
        layer.running_var.copy_(layer.observed[1])
    judged = nets.F.eval().block(1, image)
    assert torch.allclose(trained, judged, atol=1e-3)  # biased against unbiased variance


def test_initialisation_depends_on_the_seed_alone():
    a, b, c = (Networks(width=0.1).initialise(s) for s in (3, 3, 4))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.F.get_submodule("conv1_1").weight, c.F.get_submodule("conv1_1").weight)
