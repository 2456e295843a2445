"""What a strategy promises: after `backward`, the gradient is the *sum* of all workers' shares.

It also owns the optimiser, since ZeRO keeps gradients and moments in pieces that only it can put together. What
it hands out is whole and by parameter name, so that a checkpoint fits any strategy and any number of workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from rfmeta_dist.core.types import Peers

Tensors = Mapping[str, Tensor]
MOMENTS = ("exp_avg", "exp_avg_sq")  # Adam's two, named `exp_avg.F.conv1_1.weight` and so on


@dataclass(frozen=True)
class Adam:
    """The optimiser: β as `rate`, and the norm that the whole gradient is clipped to, if any.

    Attributes:
        rate: Adam's rate; betas are 0.9 and 0.999, eps is 1e-8.
        clip: largest 2-norm of the gradient of all parameters of F, M and D together; None leaves it be.
    """

    rate: float
    clip: float | None = None


class Strategy(Protocol):
    """The seam between one worker's share of the objective and the whole."""

    rank: int
    world: int

    def prepare(self, objective: nn.Module, nets: nn.Module, adam: Adam) -> nn.Module:
        """Wrap the objective and make the optimiser of its networks.

        The loop calls the result, never the bare module, or nothing is reduced.
        """

    def peers(self, groups: Sequence[range]) -> Peers | None:
        """The workers of this one's group, ready to share an episode; None if the group is this worker alone.

        Args:
            groups: the ranks of each group; every worker must give the same ones.
        """

    def backward(self, loss: Tensor) -> None:
        """Differentiate the share; afterwards the gradient is that of the sum of all workers' shares."""

    def gradient(self) -> dict[str, Tensor]:
        """The gradient after `backward`, whole, by parameter name; what takes no part counts as zero.

        Every worker must call it together.
        """

    def gradient_norm(self) -> float:
        """2-norm of the gradient after `backward`, before clipping, the same on every worker.

        Every worker must call it together.
        """

    def update(self) -> None:
        """One step of Adam on all parameters at once, clipped if so configured; the gradient is cleared."""

    def discard(self) -> None:
        """Clear the gradient without a step."""

    def moments(self) -> dict[str, Tensor]:
        """Adam's moments, whole, by `MOMENTS` and parameter name; every worker must call it together."""

    def restore(self, moments: Tensors, updates: int) -> None:
        """Continue from parameters just loaded into the networks, these moments and so many steps of Adam."""

    def sum(self, record: Tensor) -> Tensor:
        """The sum of a flat tensor over all workers, the same bits on each."""
