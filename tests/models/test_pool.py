"""The 2×2 max pool that adds nothing equals PyTorch's: values, first and second derivatives, and ties."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as f

from rfmeta_dist.models.pool import max_pool, max_pool_backward, overlapping_max_pool
from tests import episodes


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def with_ties(*shape: int) -> torch.Tensor:
    """After ReLU many windows are all zero, and the gradient must go where PyTorch sends it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 2, shape, generator=generator).double().relu()
    assert (f.unfold(x[:, :1], 2, stride=2) == 0).all(1).any()
    return x.requires_grad_()


def derivatives(pool, x: torch.Tensor) -> list[torch.Tensor]:
    y = pool(x)
    (first,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    return [y, first, second]


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 2, 4, 6), (2, 1, 5, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_pytorchs_max_pool(deterministic: None, shape: tuple[int, ...], layout: torch.memory_format):
    x = with_ties(2, 3, 8, 8) if shape == (2, 3, 8, 8) else torch.randn(shape).double().requires_grad_()
    given = x.detach().to(memory_format=layout).requires_grad_()
    for ours, theirs in zip(
        derivatives(max_pool, given), derivatives(lambda t: f.max_pool2d(t, 2), x), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("shape", [(2, 3, 9, 9), (1, 2, 7, 31), (2, 1, 8, 15)])
def test_overlapping_windows_are_pytorchs_too(deterministic: None, shape: tuple[int, ...]):
    x = with_ties(*shape)
    found = []
    for pool in (overlapping_max_pool, lambda t: f.max_pool2d(t, 3, 2)):
        y = pool(x)
        found.append((y, *torch.autograd.grad((y**3).sum(), x)))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-14)


def test_its_gradient_by_hand_is_pytorchs(deterministic: None):
    x = with_ties(2, 3, 8, 8)
    y = f.max_pool2d(x, 2)
    gradient = torch.randn_like(y)
    (theirs,) = torch.autograd.grad(y, x, gradient)
    assert torch.equal(max_pool_backward(gradient, x.detach()), theirs)


def test_a_step_has_the_same_bits_with_and_without(deterministic: None):
    found = []
    for on in (True, False):
        torch.use_deterministic_algorithms(on)
        objective = episodes.objective("rfmeta")
        split = episodes.work_split(objective, 3)
        loss, record = objective(episodes.work(split, 0, 3), 1)
        gradients = torch.autograd.grad(loss, list(objective.parameters()), allow_unused=True)
        found.append([loss, record, *(g for g in gradients if g is not None)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
