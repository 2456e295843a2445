"""An objective is a sum over tasks: the one interface every learning rule fits.

    J(episode) = Σ over tasks of loss(task)

A worker computes the share of J that its tasks make up; adding the shares of all workers gives J, and adding
their gradients gives ∇J. A single process is the case where one worker holds every task. The whole share is
the `forward` of one module, so that DDP wraps it without ever seeing the inner updates.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.methods import observations
from rfmeta_dist.methods.observations import Observations
from rfmeta_dist.models.networks import Networks


class Objective(nn.Module):
    """A learning rule over the networks.

    Args:
        nets: F, M and D.
        inner_rate: α of the inner update.
        depth_weight: λ.
        meta_test_weight: μ.

    Attributes:
        PARTS: names of the unweighted loss terms that `share` returns, in order.
    """

    PARTS: tuple[str, ...]

    def __init__(
        self, nets: Networks, *, inner_rate: float, depth_weight: float, meta_test_weight: float
    ) -> None:
        super().__init__()
        self.nets = nets
        self.inner_rate = inner_rate
        self.depth_weight = depth_weight
        self.meta_test_weight = meta_test_weight

    @staticmethod
    @abstractmethod
    def tasks(domains: int) -> int:
        """How many tasks an episode of N domains has."""

    @staticmethod
    @abstractmethod
    def needs(task: int, domains: int) -> tuple[int, ...]:
        """Positions in the episode of the batches that a task reads."""

    @abstractmethod
    def share(self, episode: Episode, tasks: Sequence[int], seen: Observations) -> tuple[Tensor, list[Tensor]]:
        """The share of J that these tasks make up, and the share of each of the `PARTS`."""

    def forward(self, episode: Episode, tasks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Compute this worker's share.

        Returns:
            The share of J (scalar, differentiable), and a flat float64 record without gradient that adds up
            over workers as the shares do; `read` takes the sum.
        """
        seen = Observations(self.nets, len(episode.batches))
        loss, parts = self.share(episode, tasks, seen)
        values = torch.stack([part.detach().double() for part in (loss, *parts)])
        return loss, torch.cat([values, seen.table.flatten()])

    def read(self, record: Tensor) -> dict[str, float]:
        """Fold the summed record's statistics into the networks; return J as `loss`, and its parts, by name."""
        count = 1 + len(self.PARTS)
        observations.fold(self.nets, record[count:].view(-1, observations.width(self.nets)))
        return dict(zip(("loss", *self.PARTS), record[:count].tolist(), strict=True))


def batch_at(episode: Episode, position: int) -> Batch:
    """The batch at a position of the episode.

    Raises:
        ValueError: this worker was not given the batch, though one of its tasks reads it.
    """
    batch = episode.batches[position]
    if batch is None:
        raise ValueError(f"the episode holds no batch at position {position}")
    return batch
