"""Define supervised training on all domains, the paper's ablation without meta-learning (its Figure 5)."""

from __future__ import annotations

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.methods.base.statistics import BatchNormStats


class NoMeta(Objective):
    """A rule whose task i is the supervised loss of domain i.

    J = Σ_i [ L_cls(T_i; θF, θM) + λ L_dep(T_i) ] over all N domains
    """

    PARTS = ("cls", "dep")

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the terms of this worker's domains."""
        zero = next(self.parameters()).new_zeros(())
        judged = [self.meta_train(episode, i, seen) for i in part.tasks]
        cls, dep = sum((j.cls for j in judged), zero), sum((j.dep for j in judged), zero)
        return cls + self.rule.depth_weight * dep, [cls, dep]
