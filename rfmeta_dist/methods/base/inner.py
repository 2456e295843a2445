"""Compute the inner update as a part of the autograd graph, and the forward pass with adapted weights."""

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
    """Return the adapted weights θ' = θ − α ∇_θ loss, applied `steps` times (Algorithm 1, line 7).

    The result is differentiable with respect to θ and everything else that the loss depends on.

    Args:
        learner: the network to adapt; its own weights do not change.
        loss: a scalar that was computed with the learner's own weights.
        loss_with: computes the same loss with other weights, for the steps after the first.
        rate: the inner learning rate α.
        steps: number of inner steps, at least 1.
        second_order: True to differentiate through the inner gradient; False to treat it as a constant.
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
    """Run the learner with adapted weights. Running statistics do not change (see models/norm.py)."""
    result: Tensor = functional_call(learner, weights, (x,))
    return result
