"""A chain of convolution, batch norm and ReLU, differentiated by hand to keep half of what autograd does.

Autograd keeps two tensors a layer, the convolution's output z (for batch norm) and y = ReLU(BN(z)) (for ReLU
and as the next convolution's input). y costs one cheap pass over z, so we keep z alone and make y again in the
backward pass; with `checkpointing` we keep only the chain's input.

The gradient is exact. Differentiating it raises RunError, for the derivative of what is written here would lack
terms. M, which rules differentiate twice, does not come through here. A rule that differentiates F or D twice
builds the networks with `second_order=True`, which takes autograd's way.

With `peers` the batch is spread over workers: each holds some of its rows, and the statistics are those of all
of them, in the forward pass and in its derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import Peers
from rfmeta_dist.models.derivatives import differentiable_once
from rfmeta_dist.models.norm import EPSILON, BatchNorm2d, Moments, moments

aten = torch.ops.aten


@dataclass(frozen=True)
class Manner:
    """How a chain runs: a 2×2 max pool at its end or not, keep or compute again, alone or with peers."""

    pool: bool
    checkpointing: bool
    peers: Peers | None


def chain(x: Tensor, layers: Sequence[tuple[nn.Conv2d, BatchNorm2d]], manner: Manner) -> Tensor:
    """Apply 3×3 convolution, batch norm and ReLU for each layer, in the precision of x or of autocast.

    The bias of a convolution before batch norm cancels and has gradient zero. It is left out: it would get a
    gradient of rounding noise, which Adam divides by its own size and turns into real drift, another one for
    each number of workers. In the observed mean it belongs all the same.

    Statistics are taken and kept in float32 at least.

    Args:
        x: B×C×H×W; with peers, this worker's rows, at least one.
        layers: their parameters are float32 (or float64), whatever the precision of x.
        manner: see there.

    Returns:
        B×C'×H×W, or B×C'×H/2×W/2 with a pool. Each layer's `observed` holds the whole batch's statistics.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    parameters = [p for conv, bn in layers for p in (conv.weight, bn.weight, bn.bias)]
    y, *statistics = _Chain.apply(manner, x, *parameters)  # type: ignore[no-untyped-call]
    for (conv, bn), mean, var in zip(layers, statistics[::2], statistics[1::2], strict=True):
        shift = 0 if conv.bias is None else conv.bias.detach()
        bn.observed = torch.stack([mean + shift, var])
    result: Tensor = y
    return result


class _Chain(torch.autograd.Function):
    """forward(manner, x, weight, scale, shift, weight, …) → y, mean, unbiased variance, mean, …"""

    @staticmethod
    def forward(ctx: Any, manner: Manner, x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.manner = manner
        y, outputs, seen = x, [], []
        for weight, scale, shift in _by_layer(parameters):
            z = _convolve(y, weight)
            seen.append(moments(z, manner.peers))
            y = _normalise(z, seen[-1], scale, shift)
            outputs.append(z)
        if manner.pool:
            y = f.max_pool2d(y, 2)
        kept = [x] if manner.checkpointing else [x, *outputs]
        ctx.layers = len(outputs)
        ctx.counts = [m.values for m in seen]
        ctx.save_for_backward(*parameters, *(t for m in seen for t in (m.mean, m.var)), *kept)
        statistics = [t for m in seen for t in (m.mean, m.unbiased)]
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @differentiable_once(
        "the derivative of F's and D's convolutions",
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
            _, where = aten.max_pool2d_with_indices(y, [2, 2], [2, 2])
            gradient = aten.max_pool2d_with_indices_backward(
                gradient, y, [2, 2], [2, 2], [0, 0], [1, 1], False, where
            )
        for k in reversed(range(ctx.layers)):
            weight, scale, _shift = parameters[k]
            z = outputs.pop()
            gradient = aten.threshold_backward(gradient, y, 0)
            gradient, d_scale, d_shift = _normalise_backward(gradient, z, seen[k], scale, ctx.manner.peers)
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
    """The convolutions' outputs once more; the statistics are known, so nothing is exchanged again."""
    outputs = []
    for (weight, scale, shift), m in zip(parameters, seen, strict=True):
        outputs.append(_convolve(x, weight))
        x = _normalise(outputs[-1], m, scale, shift)
    return outputs


def _normalise_backward(
    gradient: Tensor, z: Tensor, seen: Moments, scale: Tensor, peers: Peers | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Derivative of batch norm: dz, and this worker's shares of the gradients of scale and shift.

    dz = scale/σ · (g − Σg/n − ẑ·Σgẑ/n), with sums and n over all rows. The library's kernel takes both over
    this worker's rows; what the others' rows change is affine in ẑ.
    """
    inverse = (seen.var + EPSILON).rsqrt()
    d_z, d_scale, d_shift = aten.native_batch_norm_backward(
        gradient, z, scale, None, None, seen.mean, inverse, True, EPSILON, [True, True, True]
    )
    if peers is not None:
        here = z.numel() / z.shape[1]
        own = torch.stack([d_scale, d_shift]).double()
        change = own / here - peers.sum(own.clone()) / seen.values
        slope, offset = (change * (scale * inverse)).to(scale.dtype)
        slope = slope * inverse  # of z instead of ẑ = (z − mean) · inverse
        d_z.addcmul_(z, _channels(slope, z)).add_(_channels(offset - slope * seen.mean, z))
    return d_z, d_scale, d_shift


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    return vector.to(like.dtype)[:, None, None]
