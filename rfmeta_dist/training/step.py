"""One optimiser step on one step's episodes, the same for every method, strategy and number of workers."""

from __future__ import annotations

import math

from torch import nn

from rfmeta_dist.episode.assign import WorkSplit, groups
from rfmeta_dist.methods.base.objective import Objective, Work
from rfmeta_dist.strategy.api import Adam, Strategy


class Trainer:
    """Objective, strategy and optimiser, ready to step.

    Args:
        objective: the bare objective; gets the strategy's peers.
        strategy: how shares become one gradient.
        adam: the optimiser; one simultaneous step for F, M and D.
        work_split: who computes what.

    Attributes:
        updates: optimiser steps taken so far.

    Raises:
        ValueError: the work is split for another number of workers than the strategy has, so that a part of the
            objective would be left out.
    """

    def __init__(self, objective: Objective, strategy: Strategy, adam: Adam, work_split: WorkSplit) -> None:
        if strategy.world != work_split.world:
            raise ValueError(
                f"the work is split for {work_split.world} worker(s), and there are {strategy.world}"
            )
        self.objective = objective
        self.strategy = strategy
        self.work_split = work_split
        self.updates = 0
        objective.peers = strategy.peers(groups(work_split))
        self.module: nn.Module = strategy.prepare(objective, objective.nets, adam)

    def gradient(self, work: Work) -> dict[str, float]:
        """Compute the gradient and fold the running statistics; take no step yet.

        Returns:
            J (`loss`), its parts and the gradient's norm (`gradient_norm`), of all workers together. If any is
            not finite, networks and statistics are as before, and so they stay: the gradient is discarded.
        """
        loss, record = self.module(work, self.work_split.episodes)
        self.strategy.backward(loss)
        record = self.strategy.sum(record)
        parts = self.objective.read(record) | {"gradient_norm": self.strategy.gradient_norm()}
        if finite(parts):
            self.objective.fold(record)
        else:
            self.strategy.discard()
        return parts

    def step(self, work: Work) -> dict[str, float]:
        """Take one step, unless something is not finite; returns what `gradient` does."""
        parts = self.gradient(work)
        if finite(parts):
            self.strategy.update()
            self.updates += 1
        return parts


def finite(parts: dict[str, float]) -> bool:
    """Whether loss, parts and gradient norm are all numbers to work with."""
    return all(math.isfinite(value) for value in parts.values())
