"""Define a binary classifier on all domains, without depth and without meta-learning (Yang, Lei & Li, 2014)."""

from __future__ import annotations

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.methods.base.statistics import BatchNormStats


class BinaryCNN(Objective):
    """A rule whose task i is the classification loss of domain i. D is never run and keeps its initial weights.

    J = Σ_i L_cls(T_i; θF, θM) over all N domains

    The network is the paper's F and M, so that it differs from the other rules in the objective alone.
    """

    PARTS = ("cls",)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the classification losses of this worker's domains."""
        cls = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            cls = cls + self.meta_train(episode, i, seen, depth=False).cls
        return cls, [cls]
