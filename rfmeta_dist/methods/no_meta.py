"""Supervised training on every domain, the paper's ablation without meta-learning (its Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.methods.losses import depth_loss, liveness_loss
from rfmeta_dist.methods.objective import Objective, batch_at
from rfmeta_dist.methods.observations import Observations


class NoMeta(Objective):
    """Task i is domain i.

    J = Σ_i [ L_cls(T_i; θF, θM) + λ L_dep(T_i) ] over all N domains
    """

    PARTS = ("cls", "dep")

    @staticmethod
    def tasks(domains: int) -> int:
        """One per domain: N."""
        return domains

    @staticmethod
    def needs(task: int, domains: int) -> tuple[int, ...]:  # noqa: ARG004 (the interface's signature)
        """Its own batch."""
        return (task,)

    def share(self, episode: Episode, tasks: Sequence[int], seen: Observations) -> tuple[Tensor, list[Tensor]]:
        """The terms of these domains."""
        nets = self.nets
        cls = dep = batch_at(episode, tasks[0]).image.new_zeros(())
        for i in tasks:
            batch = batch_at(episode, i)
            features = nets.F(batch.image)
            cls = cls + liveness_loss(nets.M(features.deep), batch)
            dep = dep + depth_loss(nets.D(features.shallow), batch)
            seen.note(i, "F", "M", "D")
        return cls + self.depth_weight * dep, [cls, dep]
