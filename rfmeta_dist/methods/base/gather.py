"""All rows of a tensor that is spread over workers, with the gradient of every worker's use of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfmeta_dist.core.types import Peers
from rfmeta_dist.models.derivatives import differentiable_once


def gather(x: Tensor, rows: range, total: int, peers: Peers) -> Tensor:
    """Put this worker's rows together with the peers'.

    In the backward pass each worker receives, for its own rows, the sum of all workers' gradients, so that
    adding up the parameters' gradients over workers counts every use once. Differentiating that gradient again
    raises RunError: workers would have to exchange within each inner update.

    Args:
        x: this worker's rows, len(rows)×….
        rows: where they belong.
        total: rows of all peers together.
        peers: who holds the others; all must call this together, and use the result in their loss.

    Returns:
        total×…, the same on every worker.
    """
    result: Tensor = _Gather.apply(x, rows, total, peers)  # type: ignore[no-untyped-call]
    return result


class _Gather(torch.autograd.Function):
    # A sum over tensors that are zero elsewhere serves shares of any size; it is exact.

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: range, total: int, peers: Peers) -> Tensor:
        ctx.rows, ctx.peers = rows, peers
        full = x.new_zeros(total, *x.shape[1:])
        full[rows.start : rows.stop] = x
        return peers.sum(full)

    @staticmethod
    @differentiable_once(
        "the gradient of the shared meta-test batch's features",
        "set training.meta_test=replicate, which has every worker forward all of the batch",
    )
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        whole = ctx.peers.sum(gradient.clone(memory_format=torch.contiguous_format))
        return whole[ctx.rows.start : ctx.rows.stop], None, None, None
