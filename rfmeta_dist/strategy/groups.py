"""Make the groups of workers that share an episode."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from torch import Tensor


class Group:
    """A group of workers with its own communicator.

    Sums of a group run in the middle of a backward pass, while all workers reduce gradients. With a common
    communicator, the two could be mixed up.
    """

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the group, in place, and return it."""
        dist.all_reduce(tensor, group=self._group)
        return tensor


@functools.cache
def _group(world: Any, ranks: range) -> dist.ProcessGroup:
    """Make a group of the workers, once: a process that trains several runs would otherwise keep all groups.

    A group of an earlier `world`, which has ended, is another one.
    """
    del world
    group: dist.ProcessGroup = dist.new_group(list(ranks))
    return group


def peers(rank: int, groups: Sequence[range]) -> Group | None:
    """Return this worker's group; None if it is alone in its group. Every worker must call this together."""
    mine = None
    for ranks in groups:
        group = _group(dist.group.WORLD, ranks) if len(ranks) > 1 else None
        if rank in ranks and group is not None:
            mine = Group(group)
    return mine
