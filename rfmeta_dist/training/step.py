"""Take one optimiser step on a step's episodes, in the same way for every method, strategy and world size."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from rfmeta_dist.episode.assign import WorkSplit, groups
from rfmeta_dist.methods.base.objective import Objective, Work
from rfmeta_dist.methods.base.turns import Optimiser
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.training.average import Average


class Trainer:
    """Objective, strategy and optimisers of one worker.

    Args:
        objective: the objective before the strategy wraps it; its `peers` are set here.
        strategy: sums the workers' shares to one gradient.
        adam: settings of the run's optimiser, which updates F, M and D in one simultaneous step unless the rule
            names other optimisers.
        work_split: the facts that decide which worker computes what.
        average: the average of the weights; None on other workers than the first, or if there is none.
        phase: name of the phase that it trains; empty if the method has one phase.

    Attributes:
        updates: number of steps so far.

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
        *,
        phase: str = "",
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
        self.phase = phase
        self.updates = 0
        objective.peers = strategy.peers(groups(work_split))
        turns = objective.turns()
        own = len(turns) > 1 or any(turn.optimiser for turn in turns)
        self._optimisers = [turn.optimiser or Optimiser(adam.rate) for turn in turns] if own else []
        self.turns = len(turns)
        self.module: nn.Module = strategy.prepare(objective, objective.nets, adam, self._optimisers)

    def gradient(self, work: Work, turn: int = 0) -> dict[str, float]:
        """Compute the gradient of a turn and update the running statistics, without an optimiser step.

        Returns:
            J (`loss`), its parts and the gradient's norm (`gradient_norm`), over all workers. If any of them is
            not finite, the gradient is discarded, and networks and statistics do not change.
        """
        loss, record = self.module(work, self.work_split.episodes, turn)
        self.strategy.backward(loss)
        record = self.strategy.sum(record)
        norm = self.strategy.gradient_norm(turn).double()
        found = self.objective.losses(record, turn) | {"gradient_norm": norm}
        # The only place of a turn where the host waits for the device (DDP waits once more, see docs/speed.md).
        parts = dict(zip(found, torch.stack(list(found.values())).tolist(), strict=True))
        if finite(parts):
            self.objective.fold(record, turn)
        else:
            self.strategy.discard()
        return parts

    def step(self, work: Work, look: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Take one training step: for each turn a gradient and an update.

        Args:
            work: the worker's parts of the step.
            look: called after each gradient, before its update.

        Returns:
            What `gradient` returns. With several turns, `loss` is the sum of their losses, and `gradient_norm`
            the norm of their gradients together. If a value is not finite, neither this turn's update nor a
            later one is done.
        """
        found: list[dict[str, float]] = []
        for turn in range(self.turns):
            found.append(self.gradient(work, turn))
            if not finite(found[-1]):
                return _joined(found)
            look()
            self.strategy.update(self._rate(turn), turn)
        self._count()
        return _joined(found)

    def update(self) -> None:
        """Take the optimiser step that follows `gradient`, for a rule with one turn."""
        self.strategy.update(self._rate(0))
        self._count()

    def _rate(self, turn: int) -> float:
        if not self._optimisers:
            return self.adam.rate_after(self.updates)
        return self._optimisers[turn].rate_after(self.updates, self.adam.decay_after(self.updates))

    def _count(self) -> None:
        self.updates += 1
        if self.average:
            self.average.add(self.updates)


def _joined(turns: list[dict[str, float]]) -> dict[str, float]:
    """Return the figures of a step from those of its turns."""
    if len(turns) == 1:
        return turns[0]
    joined = {name: value for turn in turns for name, value in turn.items()}
    norms = [turn["gradient_norm"] for turn in turns]
    return joined | {"loss": sum(turn["loss"] for turn in turns), "gradient_norm": math.hypot(*norms)}


def finite(parts: dict[str, float]) -> bool:
    """Return True if loss, parts and gradient norm are all finite."""
    return all(math.isfinite(value) for value in parts.values())
