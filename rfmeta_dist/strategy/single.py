"""One worker: the whole objective is its share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.whole import WholeAdam


class Single(WholeAdam):
    """W = 1, no process group needed."""

    rank = 0
    world = 1

    def prepare(self, objective: nn.Module, nets: nn.Module, adam: Adam) -> nn.Module:
        """Nothing to wrap."""
        self.own(nets, adam)
        return objective

    def peers(self, groups: Sequence[range]) -> None:
        """Nobody else is there."""

    def backward(self, loss: Tensor) -> None:
        """The share's gradient is the whole gradient."""
        loss.backward()  # type: ignore[no-untyped-call]

    def sum(self, record: Tensor) -> Tensor:
        """Nothing to add."""
        return record
