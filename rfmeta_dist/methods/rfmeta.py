"""Regularized fine-grained meta-learning (Shao, Lan, Yuen, AAAI 2020, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.methods.inner import forward_adapted, inner_update
from rfmeta_dist.methods.losses import depth_loss, liveness_loss
from rfmeta_dist.methods.objective import Objective, batch_at
from rfmeta_dist.methods.observations import Observations


class RFMeta(Objective):
    """Task i is the pair (T_i, T): adapt M on meta-train domain i, judge the adapted M on the meta-test domain.

    J = Σ_i [ L_cls(T_i; θF, θM) + λ L_dep(T_i) + μ L_cls(T; θF, θM_i') ] + μ λ L_dep(T)
    """

    PARTS = ("cls_meta_train", "dep_meta_train", "cls_meta_test", "dep_meta_test")

    @staticmethod
    def tasks(domains: int) -> int:
        """One pair per meta-train domain: N − 1."""
        return domains - 1

    @staticmethod
    def needs(task: int, domains: int) -> tuple[int, ...]:
        """Its meta-train batch and the meta-test batch."""
        return (task, domains - 1)

    def share(self, episode: Episode, tasks: Sequence[int], seen: Observations) -> tuple[Tensor, list[Tensor]]:
        """The pairs' terms, and the meta-test depth term in proportion to the pairs, so that it counts once."""
        nets = self.nets
        last = len(episode.batches) - 1
        test = batch_at(episode, last)
        zero = test.image.new_zeros(())
        cls_train, dep_train, cls_test = zero, zero, zero
        adapted = []
        for i in tasks:
            batch = batch_at(episode, i)
            features = nets.F(batch.image)
            liveness = liveness_loss(nets.M(features.deep), batch)
            cls_train = cls_train + liveness
            dep_train = dep_train + depth_loss(nets.D(features.shallow), batch)
            seen.note(i, "F", "M", "D")
            adapted.append(inner_update(nets.M, liveness, self.inner_rate))

        features = nets.F(test.image)
        dep_test = depth_loss(nets.D(features.shallow), test) * (len(tasks) / self.tasks(last + 1))
        if 0 in tasks:  # every worker forwards T; the one with the first pair answers for its statistics
            seen.note(last, "F", "D")
        for weights in adapted:
            cls_test = cls_test + liveness_loss(forward_adapted(nets.M, weights, features.deep), test)

        train = cls_train + self.depth_weight * dep_train
        loss = train + self.meta_test_weight * (cls_test + self.depth_weight * dep_test)
        return loss, [cls_train, dep_train, cls_test, dep_test]
