"""Apply a chain of convolutions, batch norm and ReLU with a hand-written backward pass that halves the memory.

Autograd keeps two tensors for each layer: the convolution's output z (for batch norm), and y = ReLU(BN(z)) (for
ReLU, and as the next convolution's input). Since y is cheap to compute from z, only z is kept here, and y is
recomputed in the backward pass. With `checkpointing` only the chain's input is kept.

The gradient is exact. Differentiating the gradient raises RunError, because the hand-written backward pass does
not give correct second derivatives. M, which rules differentiate twice, does not use this module. A rule that
differentiates F or D twice builds the networks with `second_order=True`, which uses autograd.

The rows of a shared batch are split over workers. The batch statistics, and their part in the derivative, are
then those of all rows of all workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import SharedBatch
from rfmeta_dist.models.derivatives import differentiable_once
from rfmeta_dist.models.norm import EPSILON, BatchNorm2d, Moments, moments
from rfmeta_dist.models.pool import max_pool, max_pool_backward

aten = torch.ops.aten


@dataclass(frozen=True)
class Manner:
    """How a chain runs.

    Attributes:
        pool: True to apply a 2×2 max pool at the end.
        checkpointing: True to keep only the chain's input for the backward pass, and recompute the rest.
        shared: how the batch is split over workers; None if this worker has the whole batch.
    """

    pool: bool
    checkpointing: bool
    shared: SharedBatch | None


def chain(x: Tensor, layers: Sequence[tuple[nn.Conv2d, BatchNorm2d]], manner: Manner) -> Tensor:
    """Apply 3×3 convolution, batch norm and ReLU for each layer, in the precision of x or of autocast.

    Biases of the convolutions are not added, because batch norm cancels them and their gradient is zero. If
    they were added, their gradient would be rounding noise. Adam divides it by its own size, so the biases
    would drift, and differently for each number of workers. The observed mean includes the bias, as the running
    mean needs it.

    Statistics are computed and kept in float32 or float64.

    Args:
        x: B×C×H×W; of a shared batch, this worker's rows, at least one.
        layers: convolutions and batch norms; their parameters are float32 or float64, whatever the precision of
            x.
        manner: how the chain runs.

    Returns:
        B×C'×H×W, or B×C'×H/2×W/2 with a pool. Each layer's `observed` holds the statistics of the whole batch.
    """
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    parameters = [p for conv, bn in layers for p in (conv.weight, bn.weight, bn.bias)]
    y, *statistics = _Chain.apply(manner, x, *parameters)  # type: ignore[no-untyped-call]
    for (conv, bn), mean, var in zip(layers, statistics[::2], statistics[1::2], strict=True):
        shift = 0 if conv.bias is None else conv.bias.detach()
        bn.observed = torch.stack([mean + shift, var])
    result: Tensor = y
    return result


class _Chain(torch.autograd.Function):
    """The chain as an autograd function.

    forward(manner, x, weight, scale, shift, weight, …) returns y, mean, unbiased variance, mean, …
    """

    @staticmethod
    def forward(ctx: Any, manner: Manner, x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.manner = manner
        y, outputs, seen = x, [], []
        for weight, scale, shift in _by_layer(parameters):
            z = _convolve(y, weight)
            seen.append(moments(z, manner.shared))
            y = _normalise(z, seen[-1], scale, shift)
            outputs.append(z)
        if manner.pool:
            y = max_pool(y)
        kept = [x] if manner.checkpointing else [x, *outputs]
        ctx.layers = len(outputs)
        ctx.counts = [m.values for m in seen]
        ctx.save_for_backward(*parameters, *(t for m in seen for t in (m.mean, m.var)), *kept)
        statistics = [t for m in seen for t in (m.mean, m.unbiased)]
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @differentiable_once(
        "the gradient of F's and D's convolutions",
        "build the networks with models.build.build(…, second_order=True)",
    )
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        parameters = _by_layer(ctx.saved_tensors[: 3 * ctx.layers])
        statistics = ctx.saved_tensors[3 * ctx.layers : 5 * ctx.layers]
        seen = [Moments(m, v, n) for m, v, n in zip(statistics[::2], statistics[1::2], ctx.counts, strict=True)]
        x, *outputs = ctx.saved_tensors[5 * ctx.layers :]
        if ctx.manner.checkpointing:
            outputs = _recompute(x, parameters, seen)
        gradients: list[Tensor] = []
        y = _normalise(outputs[-1], seen[-1], *parameters[-1][1:])
        if ctx.manner.pool:
            gradient = max_pool_backward(gradient, y)
        for k in reversed(range(ctx.layers)):
            weight, scale, _shift = parameters[k]
            z = outputs.pop()
            gradient = aten.threshold_backward(gradient, y, 0)
            gradient, d_scale, d_shift = _normalise_backward(gradient, z, seen[k], scale, ctx.manner.shared)
            y = _normalise(outputs[-1], seen[k - 1], *parameters[k - 1][1:]) if k else x
            wanted = [k > 0 or ctx.needs_input_grad[1], True, False]
            gradient, d_weight, _ = aten.convolution_backward(
                gradient, y, weight.to(y.dtype), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted
            )
            gradients[:0] = [d_weight.to(weight.dtype, memory_format=torch.contiguous_format), d_scale, d_shift]
        return None, gradient, *gradients


def _by_layer(parameters: Sequence[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
    return list(zip(parameters[::3], parameters[1::3], parameters[2::3], strict=True))


def _convolve(x: Tensor, weight: Tensor) -> Tensor:
    return f.conv2d(x, weight.to(x.dtype), padding=1)


def _normalise(z: Tensor, seen: Moments, scale: Tensor, shift: Tensor) -> Tensor:
    return f.batch_norm(z, seen.mean, seen.var, scale, shift, False, 0.0, EPSILON).relu_()


def _recompute(
    x: Tensor, parameters: Sequence[tuple[Tensor, Tensor, Tensor]], seen: Sequence[Moments]
) -> list[Tensor]:
    """Recompute the convolutions' outputs. The statistics are known, so workers exchange nothing."""
    outputs = []
    for (weight, scale, shift), m in zip(parameters, seen, strict=True):
        outputs.append(_convolve(x, weight))
        x = _normalise(outputs[-1], m, scale, shift)
    return outputs


def _normalise_backward(
    gradient: Tensor, z: Tensor, seen: Moments, scale: Tensor, shared: SharedBatch | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the derivative of batch norm: dz, and this worker's shares of the gradients of scale and shift.

    dz = scale/σ · (g − Σg/n − ẑ·Σgẑ/n), with sums and n over the rows of all workers. PyTorch's kernel sums
    over this worker's rows only. The correction for the other workers' rows is affine in ẑ, and is added
    afterwards.
    """
    inverse = (seen.var + EPSILON).rsqrt()
    d_z, d_scale, d_shift = aten.native_batch_norm_backward(
        gradient, z, scale, None, None, seen.mean, inverse, True, EPSILON, [True, True, True]
    )
    if shared is not None:
        here = z.numel() / z.shape[1]
        own = torch.stack([d_scale, d_shift]).double()
        change = own / here - shared.peers.sum(own.clone()) / seen.values
        slope, offset = (change * (scale * inverse)).to(scale.dtype)
        slope = slope * inverse  # of z instead of ẑ = (z − mean) · inverse
        d_z.addcmul_(z, _channels(slope, z)).add_(_channels(offset - slope * seen.mean, z))
    return d_z, d_scale, d_shift


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    return vector.to(like.dtype)[:, None, None]
