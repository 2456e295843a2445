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
    """Decorate an autograd function's `backward`, so that differentiating its gradients raises an error.

    PyTorch's own `once_differentiable` raises only if the incoming gradient has a graph. If it has none, the
    gradients are constants, and the second derivative silently lacks a term. With this decorator every gradient
    that is computed under `create_graph=True` raises. An ordinary backward pass does not change.

    Args:
        what: the function's gradient, as the error names it.
        remedy: what to use instead.

    The gradients of the decorated function raise:
        RunError: they are differentiated.
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
    """The identity on gradients, with a `backward` that raises RunError.

    forward((what, remedy), anchor, gradient, …) returns the gradients. Only the anchor requires a gradient.
    """

    @staticmethod
    def forward(ctx: Any, reason: tuple[str, str], _anchor: Tensor, *gradients: Tensor) -> tuple[Tensor, ...]:
        ctx.reason = reason
        return tuple(g.view_as(g) for g in gradients)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Gradients:
        what, remedy = ctx.reason
        raise RunError(
            f"{what} was differentiated again, but only its value is computed, so the second derivative would "
            "be wrong",
            remedy,
        )


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """Apply a module; keep only x, and recompute the activations in the backward pass.

    The module's current weights are passed explicitly. If the block was called with other weights
    (`functional_call`), the module has its own weights again in the backward pass, and recomputing with those
    would be wrong.

    Args:
        block: a module without randomness.
        x: its input.
    """
    weights = dict(block.named_parameters())
    y: Tensor = checkpoint(functional_call, block, weights, (x,), use_reentrant=False, preserve_rng_state=False)
    return y
