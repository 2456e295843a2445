"""Batch norm that observes its batch statistics and leaves folding them into the running ones to the caller.

RFMeta needs this twice. A forward with adapted weights θM' must leave the running statistics alone. And with
several workers each sees other batches: the true running statistics are the updates of *all* batches in
forward order, which no worker can make alone. So a forward only observes; `fold` applies what all observed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import Peers

EPSILON = 1e-5


class Moments(NamedTuple):
    """Per-channel mean and (biased) variance over `values` values; C each, at least float32."""

    mean: Tensor
    var: Tensor
    values: float

    @property
    def unbiased(self) -> Tensor:
        """The variance that running statistics keep."""
        return self.var * (self.values / (self.values - 1))


@torch.no_grad()
def moments(z: Tensor, peers: Peers | None = None) -> Moments:
    """Moments over batch, rows and columns of z (B×C×H×W), and over the peers' z as well.

    The peers' sums are added in float64, where the square of the mean cancels without harm.
    """
    precise = torch.float64 if z.dtype == torch.float64 else torch.float32
    unused = z.new_zeros(2, z.shape[1], dtype=precise)
    mean, var = torch.batch_norm_update_stats(z, unused[0], unused[1], 1.0)
    count = z.numel() / z.shape[1]
    if peers is None:
        return Moments(mean, var, count)
    wide = mean.double()
    sums = torch.cat([wide, var.double() + wide**2, torch.ones_like(wide[:1])])
    total = peers.sum(sums * count)
    mean, square = (total[:-1] / total[-1]).view(2, -1)
    return Moments(mean.to(precise), (square - mean**2).to(precise), float(total[-1]))


class BatchNorm2d(nn.Module):
    """Batch norm over B×C×H×W with the statistics of the batch (training) or the running ones (evaluation).

    Args:
        channels: C.
        momentum: weight of a new batch in the running statistics; 1 keeps the last batch alone.

    Attributes:
        observed: 2×C, mean and unbiased variance of the last training forward.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.observed = torch.zeros(2, channels)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Normalise x; differentiable as often as you like.

        Args:
            x: B×C×H×W.
            bias: C, a constant that the caller left out of x in training, since it cancels in the result; it
                belongs in the observed mean all the same.
        """
        if not self.training:
            return f.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, EPSILON
            )
        # With momentum 1 the "running" tensors become the batch's mean and unbiased variance, at no extra pass.
        mean, var = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        y = f.batch_norm(x, mean, var, self.weight, self.bias, True, 1.0, EPSILON)
        self.observed = torch.stack([mean if bias is None else mean + bias.detach(), var])
        return y


def layers(network: nn.Module) -> list[BatchNorm2d]:
    """The batch-norm layers of a network, in definition order; none for a network without."""
    return [m for m in network.modules() if isinstance(m, BatchNorm2d)]


def observed(network: nn.Module) -> list[Tensor]:
    """What the last training forward saw: mean and variance of every layer, flat, in definition order."""
    return [layer.observed.flatten() for layer in layers(network)]


def observed_size(network: nn.Module) -> int:
    """Numbers in `observed(network)`."""
    return sum(layer.observed.numel() for layer in layers(network))


@torch.no_grad()
def fold(network: nn.Module, statistics: Tensor) -> None:
    """Fold one forward's flat statistics, as `observed` gives them, into the running ones."""
    start = 0
    for layer in layers(network):
        count = layer.observed.numel()
        mean, var = statistics[start : start + count].view(2, -1).to(layer.running_mean)
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(var, layer.momentum)
        start += count
