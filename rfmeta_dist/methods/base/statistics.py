"""Collect the batch statistics of an episode's forward passes in a table that can be summed over workers.

The table has one row for each domain of each episode, in forward order. A row has, for each of F, M and D, a
flag (1 if this worker recorded the forward pass) and the flat statistics. If several workers forward the
meta-test domain, only one of them records it. So the sum over workers is the table that a single process would
have filled.

Nothing here makes the host wait for a GPU: the flags stay on the device, where they scale the update.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks

NAMES = ("F", "M", "D")


class Layout:
    """Knows the batch-norm layers of the networks, and which columns of the table belong to which network."""

    def __init__(self, nets: Networks) -> None:
        self.nets = nets

    @cached_property
    def layers(self) -> dict[str, list[norm.BatchNorm2d]]:
        """Return the batch-norm layers of F, M and D in definition order."""
        return {name: norm.layers(self.nets.get_submodule(name)) for name in NAMES}

    @cached_property
    def sizes(self) -> list[int]:
        """Return the number of columns of F, M and D: the flag, and two for each channel of each layer."""
        return [1 + sum(layer.observed.numel() for layer in layers) for layers in self.layers.values()]

    def columns(self, row: Tensor) -> dict[str, Tensor]:
        """Return the parts of a row that belong to F, M and D."""
        return dict(zip(NAMES, torch.split(row, self.sizes), strict=True))

    @torch.no_grad()
    def fold(self, table: Tensor) -> None:
        """Update the running statistics with the summed table, domain by domain in forward order.

        A network that nobody forwarded for a domain has the flag 0, and moving by 0 changes nothing.
        """
        for row in table:
            for name, part in self.columns(row).items():
                _fold(self.layers[name], part)


def _fold(layers: list[norm.BatchNorm2d], part: Tensor) -> None:
    if not layers:
        return
    sizes = [size for layer in layers for size in (len(layer.running_mean), len(layer.running_var))]
    flag, *statistics = torch.split(part.to(layers[0].running_mean.dtype), [1, *sizes])
    for layer, mean, var in zip(layers, statistics[::2], statistics[1::2], strict=True):
        weight = flag * layer.momentum
        layer.running_mean.lerp_(mean, weight)
        layer.running_var.lerp_(var, weight)


class BatchNormStats:
    """A table of zeros for `rows` domains, which `note` fills.

    Attributes:
        start: row of the first domain of the episode that is being computed.
        table: rows × columns, float64, on the networks' device.
    """

    def __init__(self, layout: Layout, rows: int) -> None:
        self.layout = layout
        self.start = 0
        device = next(layout.nets.parameters()).device
        # float64 represents float32 statistics exactly, and adding another worker's zeros does not change them.
        self.table = torch.zeros(rows, sum(layout.sizes), dtype=torch.float64, device=device)

    def note(self, position: int, *names: str) -> None:
        """Record the batch statistics of the latest forward pass of these networks.

        Args:
            position: position of the domain in the episode.
            names: the networks to record, of `F`, `M` and `D`. Their latest forward pass must have used θ, not
                adapted weights.
        """
        columns = self.layout.columns(self.table[self.start + position])
        for name in names:
            part = columns[name]
            part[0] = 1
            part[1:] = torch.cat([part[:0], *(layer.observed.flatten() for layer in self.layout.layers[name])])
