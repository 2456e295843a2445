"""The batch statistics of an episode's forwards, in a form that adds up over workers.

One row per domain of each episode, in forward order; in it, for each of F, M and D, a flag (1 if this worker
answers for that forward) and the flat statistics. A forward that several workers make, of the meta-test domain,
is answered for by one of them, so the sum over workers is the table a single process would have filled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks

NAMES = ("F", "M", "D")


class BatchNormStats:
    """A table of zeros for `rows` domains, filled by `note`.

    Attributes:
        start: row of the present episode's first domain.
    """

    def __init__(self, nets: Networks, rows: int) -> None:
        self.nets = nets
        self.start = 0
        device = next(nets.parameters()).device
        # float64 holds float32 statistics exactly, so that adding another worker's zeros changes nothing.
        self.table = torch.zeros(rows, width(nets), dtype=torch.float64, device=device)

    def note(self, position: int, *names: str) -> None:
        """Answer for the latest forward of these networks, made with θ on the domain at this position."""
        for name, part in zip(NAMES, _columns(self.nets, self.table[self.start + position]), strict=True):
            if name in names:
                part[0] = 1
                part[1:] = torch.cat([part[:0], *norm.observed(self.nets.get_submodule(name))])


def fold(nets: Networks, table: Tensor) -> None:
    """Fold the summed table into the running statistics, domain by domain in forward order."""
    for row in table:
        for name, part in zip(NAMES, _columns(nets, row), strict=True):
            if part[0] > 0:
                norm.fold(nets.get_submodule(name), part[1:])


def width(nets: Networks) -> int:
    """Columns of the table."""
    return sum(_sizes(nets))


def _sizes(nets: Networks) -> list[int]:
    return [1 + norm.observed_size(nets.get_submodule(name)) for name in NAMES]


def _columns(nets: Networks, row: Tensor) -> tuple[Tensor, ...]:
    return torch.split(row, _sizes(nets))
