"""What a strategy promises: after `backward`, every worker's gradients are the *sum* over all workers."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Strategy(Protocol):
    """The seam between one worker's share of the objective and the whole."""

    rank: int
    world: int

    def prepare(self, objective: nn.Module) -> nn.Module:
        """Wrap the objective; the loop calls the result, never the bare module, or nothing is reduced."""

    def backward(self, loss: Tensor) -> None:
        """Differentiate the share; afterwards `.grad` is the gradient of the sum of all workers' shares."""

    def sum(self, record: Tensor) -> Tensor:
        """The sum of a flat tensor over all workers, the same bits on each."""
