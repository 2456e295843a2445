"""Collect the batch statistics of an episode's forward passes in a table that can be summed over workers.

The table has one row for each domain of each episode, in forward order. A row has, for each of F, M and D, a
flag (1 if this worker recorded the forward pass) and the flat statistics. If several workers forward the
meta-test domain, only one of them records it. So the sum over workers is the table that a single process would
have filled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks

NAMES = ("F", "M", "D")


class BatchNormStats:
    """A table of zeros for `rows` domains, which `note` fills.

    Attributes:
        start: row of the first domain of the episode that is being computed.
    """

    def __init__(self, nets: Networks, rows: int) -> None:
        self.nets = nets
        self.start = 0
        device = next(nets.parameters()).device
        # float64 represents float32 statistics exactly, and adding another worker's zeros does not change them.
        self.table = torch.zeros(rows, width(nets), dtype=torch.float64, device=device)

    def note(self, position: int, *names: str) -> None:
        """Record the batch statistics of the latest forward pass of these networks.

        Args:
            position: position of the domain in the episode.
            names: the networks to record, of `F`, `M` and `D`. Their latest forward pass must have used θ, not
                adapted weights.
        """
        for name, part in zip(NAMES, _columns(self.nets, self.table[self.start + position]), strict=True):
            if name in names:
                part[0] = 1
                part[1:] = torch.cat([part[:0], *norm.observed(self.nets.get_submodule(name))])


def fold(nets: Networks, table: Tensor) -> None:
    """Update the running statistics with the summed table, domain by domain in forward order."""
    for row in table:
        for name, part in zip(NAMES, _columns(nets, row), strict=True):
            if part[0] > 0:
                norm.fold(nets.get_submodule(name), part[1:])


def width(nets: Networks) -> int:
    """Return the number of columns of the table."""
    return sum(_sizes(nets))


def _sizes(nets: Networks) -> list[int]:
    return [1 + norm.observed_size(nets.get_submodule(name)) for name in NAMES]


def _columns(nets: Networks, row: Tensor) -> tuple[Tensor, ...]:
    return torch.split(row, _sizes(nets))
