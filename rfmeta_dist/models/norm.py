"""Define batch norm that records its batch statistics; the caller updates the running statistics later.

RFMeta needs this for two reasons. A forward pass with adapted weights θM' must not change the running
statistics. And with several workers, each worker sees only some batches, but the running statistics must be
updated with all batches in forward order. So a forward pass only records its statistics. The module
methods/base/statistics.py collects those of all workers and updates the running ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import SharedBatch

EPSILON = 1e-5


class Moments(NamedTuple):
    """Mean and biased variance of each channel, over `values` values; C each, float32 or float64."""

    mean: Tensor
    var: Tensor
    values: float

    @property
    def unbiased(self) -> Tensor:
        """Return the unbiased variance, which running statistics use."""
        return self.var * (self.values / (self.values - 1))


@torch.no_grad()
def moments(z: Tensor, shared: SharedBatch | None = None) -> Moments:
    """Compute the moments over batch, rows and columns of z (B×C×H×W).

    If the batch is shared, z has this worker's rows, and the moments are those of the whole batch. The workers'
    sums are added in float64, so that subtracting the squared mean loses no relevant digits.
    """
    precise = torch.float64 if z.dtype == torch.float64 else torch.float32
    unused = z.new_zeros(2, z.shape[1], dtype=precise)
    mean, var = torch.batch_norm_update_stats(z, unused[0], unused[1], 1.0)
    pixels = z.shape[2] * z.shape[3]
    count = float(len(z) * pixels)
    if shared is None:
        return Moments(mean, var, count)
    wide = mean.double()
    sums = torch.stack([wide, var.double() + wide**2]) * count
    total = float(shared.total * pixels)
    mean, square = shared.peers.sum(sums) / total
    return Moments(mean.to(precise), (square - mean**2).to(precise), total)


class BatchNorm2d(nn.Module):
    """Batch norm over B×C×H×W with the statistics of the batch (training) or the running ones (evaluation).

    Args:
        channels: C.
        momentum: weight of a new batch in the running statistics; with 1 they are those of the last batch.

    Attributes:
        observed: 2×C, mean and unbiased variance of the last forward pass in training.
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
        """Normalise x. The result can be differentiated any number of times.

        Args:
            x: B×C×H×W.
            bias: C; a constant that the caller did not add to x in training, because it cancels in the result.
                It is added to the observed mean.
        """
        if not self.training:
            return f.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, EPSILON
            )
        # With momentum 1, PyTorch writes the batch's mean and unbiased variance to its "running" tensors. So
        # they need no second pass over x.
        mean, var = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        y = f.batch_norm(x, mean, var, self.weight, self.bias, True, 1.0, EPSILON)
        self.observed = torch.stack([mean if bias is None else mean + bias.detach(), var])
        return y


def layers(network: nn.Module) -> list[BatchNorm2d]:
    """Return the batch-norm layers of a network in definition order; empty if it has none."""
    return [m for m in network.modules() if isinstance(m, BatchNorm2d)]
