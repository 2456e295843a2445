"""Use PyTorch's DistributedDataParallel for the whole objective. Gradients are reduced in the backward pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rfmeta_dist.core.types import Peers
from rfmeta_dist.methods.base.turns import Optimiser
from rfmeta_dist.strategy import groups as teams
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.whole import WholeOptimisers


class DDP(WholeOptimisers):
    """The strategy `ddp`, for the workers of an initialised process group (gloo or NCCL).

    Args:
        bf16_reduce: send gradients as bfloat16: half the traffic, but only about three exact digits.
    """

    def __init__(self, *, bf16_reduce: bool = False) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()
        self._bf16_reduce = bf16_reduce

    def prepare(
        self, objective: nn.Module, nets: nn.Module, adam: Adam, optimisers: Sequence[Optimiser] = ()
    ) -> nn.Module:
        """Wrap the objective; see `Strategy`.

        Buffers are not broadcast, because running statistics are computed from the observations of all workers,
        and those of rank 0 alone would be wrong. `find_unused_parameters` is set because biases before batch
        norm are not trained. It also keeps DDP from rebuilding its buckets after the first step, which would
        change the order of summation in a resumed run.
        """
        self.own(nets, adam, optimisers)
        warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
        module = DistributedDataParallel(objective, broadcast_buffers=False, find_unused_parameters=True)
        if self._bf16_reduce:
            module.register_comm_hook(None, lambda _, bucket: _mean_in_bf16(bucket))
        return module

    def peers(self, groups: Sequence[range]) -> Peers | None:
        """See `Strategy`."""
        return teams.peers(self.rank, groups)

    def backward(self, loss: Tensor) -> None:
        """See `Strategy`. The share is multiplied by W first, because DDP averages gradients and J is a sum."""
        (loss * self.world).backward()  # type: ignore[no-untyped-call]

    def sum(self, record: Tensor) -> Tensor:
        """See `Strategy`."""
        dist.all_reduce(record)
        return record


def _mean_in_bf16(bucket: Any) -> torch.futures.Future[Tensor]:
    """Average a bucket, sent as bfloat16. PyTorch's own hook refuses gloo, although gloo can do this."""
    sent = bucket.buffer().to(torch.bfloat16).div_(dist.get_world_size())
    future = dist.all_reduce(sent, async_op=True).get_future()
    result: torch.futures.Future[Tensor] = future.then(lambda done: bucket.buffer().copy_(done.value()[0]))
    return result
