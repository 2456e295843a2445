"""The inner update, kept in the graph, and the forward with adapted weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

Weights = dict[str, Tensor]


def adapt(
    learner: nn.Module,
    loss: Tensor,
    loss_with: Callable[[Weights], Tensor],
    *,
    rate: float,
    steps: int = 1,
    second_order: bool = True,
) -> Weights:
    """θ' = θ − α ∇_θ loss, `steps` times over (Algorithm 1, line 7).

    The result is differentiable in θ and in whatever else the loss depends on.

    Args:
        learner: the network that adapts; its own weights do not change.
        loss: a scalar computed with the learner's own weights.
        loss_with: the same with other weights, for the steps after the first.
        rate: α.
        steps: inner steps, at least 1.
        second_order: differentiate through the inner gradient; without, it counts as a constant.
    """
    weights: Weights = dict(learner.named_parameters())
    for step in range(steps):
        if step:
            loss = loss_with(weights)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), create_graph=second_order, retain_graph=True, materialize_grads=True
        )
        weights = {
            name: weight - rate * gradient
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
        }
    return weights


def forward_adapted(learner: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    """The learner's forward with adapted weights; running statistics stay as they are (see models/norm.py)."""
    result: Tensor = functional_call(learner, weights, (x,))
    return result
