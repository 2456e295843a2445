"""Take one optimiser step on a step's episodes, in the same way for every method, strategy and world size."""

from __future__ import annotations

import math

import torch
from torch import nn

from rfmeta_dist.episode.assign import WorkSplit, groups
from rfmeta_dist.methods.base.objective import Objective, Work
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.training.average import Average


class Trainer:
    """Objective, strategy and optimiser of one worker.

    Args:
        objective: the objective before the strategy wraps it; its `peers` are set here.
        strategy: sums the workers' shares to one gradient.
        adam: settings of the optimiser, which updates F, M and D in one simultaneous step.
        work_split: the facts that decide which worker computes what.
        average: the average of the weights; None on other workers than the first, or if there is none.

    Attributes:
        updates: number of optimiser steps so far.

    Raises:
        ValueError: the work is split for another number of workers than the strategy has, so that a part of the
            objective would not be computed.
    """

    def __init__(
        self,
        objective: Objective,
        strategy: Strategy,
        adam: Adam,
        work_split: WorkSplit,
        average: Average | None = None,
    ) -> None:
        if strategy.world != work_split.world:
            raise ValueError(
                f"the work is split for {work_split.world} worker(s), but the strategy has {strategy.world}"
            )
        self.objective = objective
        self.strategy = strategy
        self.adam = adam
        self.work_split = work_split
        self.average = average
        self.updates = 0
        objective.peers = strategy.peers(groups(work_split))
        self.module: nn.Module = strategy.prepare(objective, objective.nets, adam)

    def gradient(self, work: Work) -> dict[str, float]:
        """Compute the gradient and update the running statistics, without an optimiser step.

        Returns:
            J (`loss`), its parts and the gradient's norm (`gradient_norm`), over all workers. If any of them is
            not finite, the gradient is discarded, and networks and statistics do not change.
        """
        loss, record = self.module(work, self.work_split.episodes)
        self.strategy.backward(loss)
        record = self.strategy.sum(record)
        found = self.objective.losses(record) | {"gradient_norm": self.strategy.gradient_norm().double()}
        # The only place of a step where the host waits for the device (DDP waits once more, see docs/speed.md).
        parts = dict(zip(found, torch.stack(list(found.values())).tolist(), strict=True))
        if finite(parts):
            self.objective.fold(record)
        else:
            self.strategy.discard()
        return parts

    def step(self, work: Work) -> dict[str, float]:
        """Take one optimiser step, unless loss or gradient is not finite. Return what `gradient` returns."""
        parts = self.gradient(work)
        if finite(parts):
            self.update()
        return parts

    def update(self) -> None:
        """Take the optimiser step that follows `gradient`, with the learning rate of this step."""
        self.strategy.update(self.adam.rate_after(self.updates))
        self.updates += 1
        if self.average:
            self.average.add(self.updates)


def finite(parts: dict[str, float]) -> bool:
    """Return True if loss, parts and gradient norm are all finite."""
    return all(math.isfinite(value) for value in parts.values())
