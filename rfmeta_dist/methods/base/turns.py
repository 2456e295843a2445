"""Define what a learning rule may say about its steps: their optimisers, and the turns of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.statistics import BatchNormStats

Share = Callable[[Episode, WorkerShare, BatchNormStats], tuple[Tensor, list[Tensor]]]


@dataclass(frozen=True)
class Setting:
    """What a rule knows of its run beside the section `method`.

    Attributes:
        domains: number of source domains.
        steps: number of training steps of the rule's phase, at least 1.
        seed: the run's seed, from which all random draws of the rule are derived.
    """

    domains: int = 0
    steps: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Optimiser:
    """The settings of an optimiser that a rule uses instead of the run's Adam on all parameters.

    Attributes:
        rate: learning rate at the first step.
        kind: `adam` (Kingma & Ba, ICLR 2015), or `sgd`.
        trains: what it updates: beginnings of parameter names, such as `F.` or `X.critic.`; all if empty.
        betas: of Adam.
        momentum: of SGD.
        weight_decay: factor of the L2 penalty, which is added to the gradient.
        linear: number of steps over which the rate falls to 0 along a straight line. If None, it falls as
            `training.decay` says.
    """

    rate: float
    kind: Literal["adam", "sgd"] = "adam"
    trains: tuple[str, ...] = ()
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    weight_decay: float = 0.0
    linear: int | None = None

    def updates(self, name: str) -> bool:
        """Return True if the optimiser updates the parameter of this name."""
        return name.startswith(self.trains) if self.trains else True

    def rate_after(self, updates: int, decay: float) -> float:
        """Return the learning rate of the step that follows so many steps.

        Args:
            updates: number of steps that were taken.
            decay: factor in [0, 1] to which `training.decay` has let the rate fall.
        """
        return self.rate * (decay if self.linear is None else max(0.0, 1 - updates / self.linear))


@dataclass(frozen=True)
class Turn:
    """One of the optimiser steps that a training step consists of: a forward pass, a backward pass, an update.

    Attributes:
        share: computes a worker's share of the turn's objective, as `Objective.share` does.
        parts: names of the terms that `share` returns, in order; no two turns of a rule share a name.
        optimiser: takes the step; None for the run's Adam on all parameters.
    """

    share: Share
    parts: tuple[str, ...]
    optimiser: Optimiser | None = None
