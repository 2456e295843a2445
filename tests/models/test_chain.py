"""The chain's hand-written gradient equals that of autograd through the same layers."""

import pytest
import torch
from torch import nn

from rfmeta_dist.core.types import SharedBatch
from rfmeta_dist.models.chain import Manner, chain
from rfmeta_dist.models.norm import BatchNorm2d, moments
from tests import episodes


def layers(dtype: torch.dtype) -> list[tuple[nn.Conv2d, BatchNorm2d]]:
    torch.manual_seed(0)
    made = []
    for before, after in ((6, 5), (5, 7), (7, 3)):
        conv, norm = nn.Conv2d(before, after, 3, padding=1), BatchNorm2d(after)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        made.append((conv.to(dtype), norm.to(dtype)))
    return made


def plain(x: torch.Tensor, made, pool: bool) -> torch.Tensor:
    for conv, norm in made:
        z = conv(x)
        mean, var = z.mean((0, 2, 3), keepdim=True), z.var((0, 2, 3), keepdim=True, unbiased=False)
        z = (z - mean) / torch.sqrt(var + 1e-5)
        x = torch.relu(z * norm.weight[:, None, None] + norm.bias[:, None, None])
    return nn.functional.max_pool2d(x, 2) if pool else x


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradients_are_autograds(pool, checkpointing, layout):
    made = layers(torch.float64)
    x = torch.randn(3, 6, 8, 8, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    parameters = [p for conv, norm in made for p in (conv.weight, norm.weight, norm.bias)]
    results = []
    for compute in (plain, lambda x, made, pool: chain(x, made, Manner(pool, checkpointing, None))):
        y = compute(x, made, pool)
        weights = torch.sin(torch.arange(y.numel(), dtype=torch.float64)).view(y.shape)
        results.append([y.detach(), *torch.autograd.grad((y * weights).sum(), [x, *parameters])])
    for ours, reference in zip(results[1], results[0], strict=True):
        assert episodes.relative(ours, reference) < 1e-12


def saved(compute) -> int:
    """Count the bytes that the graph keeps for the backward pass, each tensor once."""
    kept = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = compute()
    del y
    return sum(kept.values())


def test_it_keeps_half_of_what_autograd_keeps_and_the_input_alone_with_recompute():
    made = layers(torch.float32)
    x = torch.randn(4, 6, 32, 32)

    def through_autograd():
        y = x
        for conv, norm in made:
            y = torch.relu(norm(conv(y)))
        return y

    theirs = saved(through_autograd)
    assert saved(lambda: chain(x, made, Manner(False, False, None))) < 0.6 * theirs
    weights = sum(p.numel() * 4 for conv, norm in made for p in (*conv.parameters(), *norm.parameters()))
    assert saved(lambda: chain(x, made, Manner(False, True, None))) < x.numel() * 4 + 2 * weights


def test_moments_with_peers_are_those_of_the_whole_batch():
    """A peer that adds another batch's sums stands for a second worker; real ones are in tests/strategy."""
    here, there = (torch.randn(n, 5, 4, 4) + 100 for n in (2, 3))
    other = moments(there)

    class Peer:
        def sum(self, tensor: torch.Tensor) -> torch.Tensor:
            wide = other.mean.double()
            sums = torch.stack([wide, other.var.double() + wide**2])
            return tensor.add_(sums * other.values)

    together, whole = moments(here, SharedBatch(Peer(), range(2), 5)), moments(torch.cat([here, there]))
    assert torch.allclose(together.mean, whole.mean)
    assert torch.allclose(together.var, whole.var, rtol=1e-4)
    assert together.values == whole.values
