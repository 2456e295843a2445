"""Second derivatives through F and D are exact with second_order=True, and raise an error otherwise."""

import importlib
import pkgutil

import pytest
import torch
from torch import nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import SharedBatch
from rfmeta_dist.methods.base.gather import gather
from rfmeta_dist.models.build import build
from rfmeta_dist.models.chain import Manner, chain
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.norm import BatchNorm2d


class Alone:
    """The one worker of its group: a sum over it is the tensor itself."""

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor


def alone(rows: int) -> SharedBatch:
    return SharedBatch(Alone(), range(rows), rows)


def layer(before: int, after: int) -> tuple[nn.Conv2d, BatchNorm2d]:
    torch.manual_seed(0)
    return nn.Conv2d(before, after, 3, padding=1).double(), BatchNorm2d(after).double()


def through_chain(x: torch.Tensor) -> torch.Tensor:
    return chain(x, [layer(6, 3)], Manner(pool=True, checkpointing=False, shared=None))


def through_recomputed_chain(x: torch.Tensor) -> torch.Tensor:
    return chain(x, [layer(6, 3)], Manner(pool=False, checkpointing=True, shared=alone(3)))


def through_gather(x: torch.Tensor) -> torch.Tensor:
    return gather(x, alone(len(x)))


ONCE = {
    "_Chain": (through_chain, "second_order=True"),
    "_Chain, recomputed": (through_recomputed_chain, "second_order=True"),
    "_Gather": (through_gather, "training.meta_test=replicate"),
}


@pytest.mark.parametrize(("function", "remedy"), ONCE.values(), ids=ONCE)
@pytest.mark.parametrize("outer", [torch.sum, lambda y: (y**3).sum()], ids=["constant", "varying"])
def test_a_derivative_made_by_hand_refuses_to_be_differentiated(function, remedy, outer):
    """The error comes even if the incoming gradient is a constant; the second derivative would lack a term."""
    x = torch.rand(3, 6, 8, 8, dtype=torch.float64, requires_grad=True)
    (once,) = torch.autograd.grad(outer(function(x)), x, create_graph=True)
    with pytest.raises(RunError, match=remedy):
        (x.sum() + (once**2).sum()).backward()


def test_every_derivative_made_by_hand_is_known_here():
    for package in ("models", "methods", "strategy", "training"):
        folder = importlib.import_module(f"rfmeta_dist.{package}")
        for found in pkgutil.walk_packages(folder.__path__, f"rfmeta_dist.{package}."):
            if "deepspeed" not in found.name:
                importlib.import_module(found.name)
    ours = {
        c.__name__ for c in torch.autograd.Function.__subclasses__() if c.__module__.startswith("rfmeta_dist")
    }
    # The derivative of a reversal is a product with a constant, which autograd differentiates.
    assert ours - {"_Refusal", "_Reversal"} == {name.partition(",")[0] for name in ONCE}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_convolutions_by_autograd_have_second_derivatives(checkpointing):
    nets = Networks(0.02, checkpointing=checkpointing, second_order=True).initialise(1).double()
    x = torch.rand(2, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    weights = [nets.F.layer(1)[0].weight, nets.F.layer(2)[1].weight]

    def block(x, *_):
        return nets.F.blocks(range(1, 3), x, Manner(pool=True, checkpointing=checkpointing, shared=None))

    assert torch.autograd.gradgradcheck(block, (x, *weights))
    shallow = torch.rand(2, nets.D.layer(1)[0].in_channels, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda s, *_: nets.D(s), (shallow, nets.D.layer(1)[0].weight))


@pytest.mark.parametrize("backbone", ["paper", "vit_micro", "convnext_micro"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_an_inner_update_of_all_networks_is_differentiated_exactly(backbone, checkpointing):
    """J(θ) = L(θ − α ∇L(θ)) over F, M and D, along a random direction, against a central difference."""
    nets = build(
        Model(backbone=backbone, width=0.05),
        checkpointing=checkpointing,
        second_order=True,
    )
    nets = nets.initialise(3).double()
    random = torch.Generator().manual_seed(5)

    def draw(*shape):
        return torch.randn(shape, generator=random, dtype=torch.float64)

    theta = {n: (p.detach() + 0.05 * draw(*p.shape)).requires_grad_() for n, p in nets.named_parameters()}
    image, side = torch.rand(3, 6, 32, 32, generator=random, dtype=torch.float64), 4

    def loss(weights):
        nets_with = torch.func.functional_call(
            _Both(nets), {f"nets.{n}": w for n, w in weights.items()}, (image,)
        )
        logit, depth = nets_with
        return logit.sigmoid().square().mean() + (depth - 0.3).square().mean() * side

    def objective(weights):
        gradients = torch.autograd.grad(
            loss(weights), list(weights.values()), create_graph=True, materialize_grads=True
        )
        return loss({n: w - 0.05 * g for (n, w), g in zip(weights.items(), gradients, strict=True)})

    gradients = torch.autograd.grad(objective(theta), list(theta.values()), materialize_grads=True)
    direction = {n: draw(*w.shape) for n, w in theta.items()}
    along = sum(float((g * d).sum()) for g, d in zip(gradients, direction.values(), strict=True))
    h = 1e-8  # small, or some ReLU or maximum changes sides

    def value(sign):
        moved = {n: (w.detach() + sign * h * direction[n]).requires_grad_() for n, w in theta.items()}
        return objective(moved).item()

    assert along == pytest.approx((value(1) - value(-1)) / (2 * h), rel=1e-5)
    first = torch.autograd.grad(loss(theta), list(theta.values()), materialize_grads=True)
    short = sum(float((g * d).sum()) for g, d in zip(first, direction.values(), strict=True))
    assert abs(short - along) > 1e-3 * abs(
        along
    )  # the inner update changes the gradient far beyond the tolerance


class _Both(nn.Module):
    """Logits and depth of the networks, so that both can be called with other weights."""

    def __init__(self, nets: Networks) -> None:
        super().__init__()
        self.nets = nets

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.nets.F(image)
        return self.nets.M(features.deep), self.nets.D(features.shallow)


def test_by_autograd_and_by_hand_agree_to_first_order():
    image = torch.rand(4, 6, 32, 32, dtype=torch.float64)
    found = []
    for second_order in (False, True):
        nets = Networks(0.05, second_order=second_order).initialise(2).double()
        features = nets.F(image)
        value = nets.M(features.deep).square().sum() + nets.D(features.shallow).square().sum()
        value.backward()
        found.append(torch.cat([p.grad.flatten() for n, p in nets.named_parameters() if p.grad is not None]))
        assert all(p.grad is None for n, p in nets.named_parameters() if "conv" in n and n.endswith(".bias"))
    assert torch.allclose(*found, rtol=1e-9, atol=1e-12)


def test_twice_differentiable_networks_refuse_to_share_a_batch():
    nets = Networks(0.05, second_order=True).initialise(0)
    with pytest.raises(RunError, match="meta_test=replicate"):
        nets.F(torch.rand(2, 6, 32, 32), Alone())
