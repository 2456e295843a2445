"""Define the interface of a strategy: after `backward`, the gradient is the *sum* of all workers' shares.

A strategy also owns the optimiser, because ZeRO splits gradients and moments among the workers. What a strategy
returns is always complete and named by parameter, so a checkpoint fits any strategy and number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from rfmeta_dist.core.types import Peers
from rfmeta_dist.methods.base.turns import Optimiser

Tensors = Mapping[str, Tensor]
MOMENTS = ("exp_avg", "exp_avg_sq")  # Adam's first and second moment; keys are like `exp_avg.F.conv1_1.weight`
MOMENTUM = ("momentum_buffer",)  # what SGD with momentum keeps


@dataclass(frozen=True)
class Adam:
    """The settings of the optimiser.

    Attributes:
        rate: learning rate, β in the paper; betas are 0.9 and 0.999, eps is 1e-8.
        clip: largest 2-norm of the gradient of all parameters of F, M and D together; None for no clipping.
        cosine: number of steps over which the learning rate falls to 0 along half a cosine; None for a constant
            one, as in the paper.
    """

    rate: float
    clip: float | None = None
    cosine: int | None = None

    def rate_after(self, updates: int) -> float:
        """Return the learning rate of the step that follows so many steps (Loshchilov & Hutter, ICLR 2017)."""
        return self.rate * self.decay_after(updates)

    def decay_after(self, updates: int) -> float:
        """Return the factor in [0, 1] to which the learning rate has fallen after so many steps."""
        if self.cosine is None:
            return 1.0
        return (1 + math.cos(math.pi * min(1.0, updates / self.cosine))) / 2


class Strategy(Protocol):
    """Combines the workers' shares of the objective, and owns the optimiser.

    Attributes:
        rank: number of this worker, from 0.
        world: number of workers.
    """

    rank: int
    world: int

    def prepare(
        self, objective: nn.Module, nets: nn.Module, adam: Adam, optimisers: Sequence[Optimiser] = ()
    ) -> nn.Module:
        """Wrap the objective, make the optimisers of its networks, and return the wrapped module.

        The training loop must call the wrapped module. The bare module would not reduce gradients.

        Args:
            objective: the objective.
            nets: its networks.
            adam: settings of the run's optimiser.
            optimisers: one for each turn of a step. If there are none, a step is one of Adam on all parameters.
                A parameter that none of them updates is frozen.
        """

    def peers(self, groups: Sequence[range]) -> Peers | None:
        """Return the group of workers that share an episode with this one; None if there are no others.

        Every worker must call this together.

        Args:
            groups: the ranks of each group; every worker must pass the same groups.
        """

    def backward(self, loss: Tensor) -> None:
        """Differentiate this worker's share. Afterwards the gradient is that of the sum of all shares."""

    def gradient(self) -> dict[str, Tensor]:
        """Return the complete gradient after `backward`, by parameter name; zeros for unused parameters.

        Every worker must call this together.
        """

    def gradient_norm(self, turn: int = 0) -> Tensor:
        """Return the 2-norm of the gradient after `backward`, before clipping: a scalar on the device.

        It is equal on every worker. It is the norm over the parameters that the turn's optimiser updates.

        Every worker must call this together.
        """

    def update(self, rate: float, turn: int = 0) -> None:
        """Clip the gradient if configured, do one step of the turn's optimiser, and clear all gradients.

        Args:
            rate: learning rate of this step.
            turn: number of the turn.
        """

    def discard(self) -> None:
        """Clear the gradient without a step."""

    def moments(self) -> dict[str, Tensor]:
        """Return the optimisers' complete moments by key and parameter, such as `exp_avg.F.conv1_1.weight`.

        The keys of later turns have their number, as in `exp_avg@1.F.conv1_1.weight`.

        Every worker must call this together.
        """

    def restore(self, moments: Tensors, updates: int) -> None:
        """Continue training after parameters were loaded into the networks.

        Args:
            moments: the moments, from `moments`.
            updates: number of steps that were done before.
        """

    def sum(self, record: Tensor) -> Tensor:
        """Add up a tensor over all workers, element by element. Every worker gets the same bits.

        Every worker must call this together, with a tensor of the same length, type and kind of device;
        otherwise the workers wait for each other without end, or the result is wrong. No gradient flows through
        the sum.

        Args:
            record: one-dimensional, such as this worker's losses and batch-norm statistics. With several
                workers it is overwritten by the sum.

        Returns:
            `record` itself, which now holds the sum. A single worker gets it back unchanged.
        """
