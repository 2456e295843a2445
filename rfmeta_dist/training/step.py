"""One optimiser step on one episode, the same for every method, strategy and number of workers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from rfmeta_dist.core.types import Episode
from rfmeta_dist.methods.objective import Objective
from rfmeta_dist.strategy.api import Strategy

BETAS = (0.9, 0.999)


class Trainer:
    """Objective, strategy and optimiser, ready to step.

    Args:
        objective: the bare objective.
        strategy: how shares become one gradient.
        rate: β, Adam's rate (betas 0.9 and 0.999, eps 1e-8, one simultaneous step for F, M and D).
    """

    def __init__(self, objective: Objective, strategy: Strategy, rate: float) -> None:
        self.objective = objective
        self.strategy = strategy
        self.optimizer = torch.optim.Adam(objective.nets.parameters(), lr=rate, betas=BETAS)
        self.module: nn.Module = strategy.prepare(objective)

    def step(self, episode: Episode, tasks: Sequence[int]) -> dict[str, float]:
        """Take one step; returns J (`loss`) and its parts, summed over all workers."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, record = self.module(episode, tasks)
        self.strategy.backward(loss)
        parts = self.objective.read(self.strategy.sum(record))
        self.optimizer.step()
        return parts
