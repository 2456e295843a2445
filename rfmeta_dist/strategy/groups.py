"""The groups of workers that share an episode."""

from __future__ import annotations

from collections.abc import Sequence

import torch.distributed as dist
from torch import Tensor


class Group:
    """One group, joined by its own communicator: its sums cannot be taken for those of the whole world.

    They are made in the middle of a backward pass, while the world reduces gradients.
    """

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group

    def sum(self, tensor: Tensor) -> Tensor:
        """All-reduce in place."""
        dist.all_reduce(tensor, group=self._group)
        return tensor


def peers(rank: int, groups: Sequence[range]) -> Group | None:
    """The group of this worker, or None if it is alone in it; every worker must call this together."""
    mine = None
    for ranks in groups:
        group = dist.new_group(list(ranks)) if len(ranks) > 1 else None
        if rank in ranks and group is not None:
            mine = Group(group)
    return mine
