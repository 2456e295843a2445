"""Train with a single worker, whose share is the whole objective."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rfmeta_dist.methods.base.turns import Optimiser
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.whole import WholeOptimisers


class Single(WholeOptimisers):
    """The strategy `single`, for one worker without a process group."""

    rank = 0
    world = 1

    def prepare(
        self, objective: nn.Module, nets: nn.Module, adam: Adam, optimisers: Sequence[Optimiser] = ()
    ) -> nn.Module:
        """Make the optimisers, and return the objective itself, because nothing needs to be reduced."""
        self.own(nets, adam, optimisers)
        return objective

    def peers(self, groups: Sequence[range]) -> None:
        """Return None, because there are no other workers."""

    def backward(self, loss: Tensor) -> None:
        """Differentiate the share, which is the whole objective."""
        loss.backward()  # type: ignore[no-untyped-call]

    def sum(self, record: Tensor) -> Tensor:
        """Return the tensor itself, because there are no other workers."""
        return record
