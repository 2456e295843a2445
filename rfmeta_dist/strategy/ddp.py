"""PyTorch's DistributedDataParallel around the whole objective: one all-reduce, during the backward pass."""

from __future__ import annotations

import warnings

import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class DDP:
    """W workers of an initialised process group (gloo or NCCL)."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Wrap the objective.

        Buffers are not broadcast: running statistics are folded from what all workers observed, and rank 0's
        alone would be wrong. Biases before batch norm take no part in training, hence `find_unused_parameters`;
        it also keeps the buckets as they are built at the start, where DDP otherwise rebuilds them after the
        first step, and a resumed run would add in another order than an uninterrupted one.
        """
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        return DistributedDataParallel(objective, broadcast_buffers=False, find_unused_parameters=True)

    def backward(self, loss: Tensor) -> None:
        """DDP averages gradients; J is a sum, so the share is scaled by W first."""
        (loss * self.world).backward()  # type: ignore[no-untyped-call]

    def sum(self, record: Tensor) -> Tensor:
        """All-reduce."""
        dist.all_reduce(record)
        return record
