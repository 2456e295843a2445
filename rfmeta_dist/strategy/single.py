"""One worker: the whole objective is its share."""

from __future__ import annotations

from torch import Tensor, nn


class Single:
    """W = 1, no process group needed."""

    rank = 0
    world = 1

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Nothing to wrap."""
        return objective

    def backward(self, loss: Tensor) -> None:
        """The share's gradient is the whole gradient."""
        loss.backward()  # type: ignore[no-untyped-call]

    def sum(self, record: Tensor) -> Tensor:
        """Nothing to add."""
        return record
