"""Gather all rows of a tensor that is split over workers, with gradients from every worker's use of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rfmeta_dist.core.types import Peers, SharedBatch
from rfmeta_dist.models.derivatives import differentiable_once


def gather(x: Tensor, shared: SharedBatch) -> Tensor:
    """Join this worker's rows of a shared batch with those of its peers.

    In the backward pass each worker receives, for its own rows, the sum of all workers' gradients. So the sum
    of the parameters' gradients over workers counts every use of a row once. If that gradient is differentiated
    again, it raises RunError, because workers would have to communicate within each inner update.

    Args:
        x: this worker's rows, len(shared.rows)×….
        shared: how the batch is split. All its workers must call this function together and use the result in
            their loss.

    Returns:
        shared.total×…, the same on every worker.
    """
    rows = slice(shared.rows.start, shared.rows.stop)
    result: Tensor = _Gather.apply(x, rows, shared.total, shared.peers)  # type: ignore[no-untyped-call]
    return result


def gather_places(x: Tensor, places: Sequence[int], total: int, peers: Peers) -> Tensor:
    """Join this worker's rows with those of its peers, as `gather` does, where rows may lie apart.

    Args:
        x: this worker's rows, len(places)×….
        places: the positions of these rows in the whole.
        total: number of rows of the whole.
        peers: the workers that hold the other rows, and this one.

    Returns:
        total×…, the same on every worker.
    """
    result: Tensor = _Gather.apply(x, list(places), total, peers)  # type: ignore[no-untyped-call]
    return result


class _Gather(torch.autograd.Function):
    # Each worker fills its rows of a zero tensor, and the tensors are summed. This works for shares of any
    # size, and it is exact, because adding zeros changes no bit.

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: slice | list[int], total: int, peers: Peers) -> Tensor:
        ctx.rows, ctx.peers = rows, peers
        full = x.new_zeros(total, *x.shape[1:])
        full[rows] = x
        return peers.sum(full)

    @staticmethod
    @differentiable_once(
        "the gradient of gathered features",
        "set training.meta_test=replicate, with which every worker forwards the whole batch",
    )
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        whole = ctx.peers.sum(gradient.clone(memory_format=torch.contiguous_format))
        return whole[ctx.rows], None, None, None
