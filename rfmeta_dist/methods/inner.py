"""The inner update, kept in the graph, and the forward with adapted weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

Weights = dict[str, Tensor]


def inner_update(learner: nn.Module, loss: Tensor, rate: float) -> Weights:
    """θ' = θ − α ∇_θ loss, differentiable in θ and in whatever else the loss depends on (Algorithm 1, line 7).

    Args:
        learner: the network that adapts; its own weights do not change.
        loss: a scalar computed with the learner's own weights.
        rate: α.
    """
    weights = dict(learner.named_parameters())
    gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True, materialize_grads=True)
    return {
        name: weight - rate * gradient
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


def forward_adapted(learner: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    """The learner's forward with adapted weights; running statistics stay as they are (see models/norm.py)."""
    result: Tensor = functional_call(learner, weights, (x,))
    return result
