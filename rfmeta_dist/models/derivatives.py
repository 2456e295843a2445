"""Make gradients that raise an error if they are differentiated, and blocks that recompute activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from rfmeta_dist.core.errors import RunError

Gradients = tuple[Tensor | None, ...]


def differentiable_once(
    what: str, remedy: str
) -> Callable[[Callable[..., Gradients]], Callable[..., Gradients]]:
    """Decorate an autograd function's `backward`: its gradients are exact, and raise when differentiated.

    PyTorch's own `once_differentiable` refuses only where the incoming gradient has a graph; where it has none,
    the gradients come out as constants and the second derivative is silently short of a term. Here every
    gradient made under `create_graph=True` refuses. In an ordinary backward pass nothing changes.

    Args:
        what: names the function in the error.
        remedy: what to use instead.

    The decorated function's gradients raise:
        RunError: somebody differentiates them.
    """

    def decorate(backward: Callable[..., Gradients]) -> Callable[..., Gradients]:
        @wraps(backward)
        def once(ctx: Any, *incoming: Any) -> Gradients:
            with torch.no_grad():
                gradients = backward(ctx, *incoming)
            if not torch.is_grad_enabled():
                return gradients
            made = [g for g in gradients if g is not None]
            if not made:
                return gradients
            anchor = made[0].new_zeros(()).requires_grad_()
            refusing = iter(_Refusal.apply((what, remedy), anchor, *made))  # type: ignore[no-untyped-call]
            return tuple(None if g is None else next(refusing) for g in gradients)

        return once

    return decorate


class _Refusal(torch.autograd.Function):
    """forward((what, remedy), anchor, gradient, …) → the gradients; the anchor alone needs a gradient."""

    @staticmethod
    def forward(ctx: Any, reason: tuple[str, str], _anchor: Tensor, *gradients: Tensor) -> tuple[Tensor, ...]:
        ctx.reason = reason
        return tuple(g.view_as(g) for g in gradients)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Gradients:
        what, remedy = ctx.reason
        raise RunError(f"{what} is exact to first order only, and its gradient was differentiated", remedy)


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """Apply a module without randomness; keep only x, and recompute its activations in the backward pass.

    The current weights are passed explicitly. If the block was called with other weights (`functional_call`),
    the module has its own again in the backward pass, and recomputing with those would be wrong.
    """
    weights = dict(block.named_parameters())
    y: Tensor = checkpoint(functional_call, block, weights, (x,), use_reentrant=False, preserve_rng_state=False)
    return y
