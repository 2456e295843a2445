"""Define meta-learning on the joined meta-train domains ("aggregated" in the paper's Table 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.inner import Weights, adapt, forward_adapted
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Judged, Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats


class Aggregate(Objective):
    """A rule with a single task: the joined batch of T_1 … T_{N−1}, one inner update, one pair with T.

    J = L_cls(T_1…; θF, θM) + λ L_dep(T_1…) + μ [ L_cls(T; θF, θM') + λ L_dep(T) ]

    The paper does not say whether the losses of the joined batch are means or sums over its domains, nor
    whether batch norm sees the domains one by one or joined. The fields `aggregation` and
    `aggregation_batch_norm` choose.
    """

    PARTS = ("cls_meta_train", "dep_meta_train", "cls_meta_test", "dep_meta_test")

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the objective if this worker has the task, else only its rows of the meta-test domain."""
        train: Judged | None = self._train(episode, seen) if part.tasks else None
        weights = self._adapt(episode, train) if train else {}
        test = self.meta_test(episode, part, seen)
        cls_train = dep_train = cls_test = 0 * test.deep.sum()
        if train:
            cls_train, dep_train = train.cls, train.dep
            cls_test = liveness_loss(forward_adapted(self.nets.M, weights, test.deep), test.label)
        depth_weight, meta_test_weight = self.rule.depth_weight, self.rule.meta_test_weight
        loss = cls_train + depth_weight * dep_train + meta_test_weight * (cls_test + depth_weight * test.dep)
        return loss, [cls_train, dep_train, cls_test, test.dep]

    def _train(self, episode: Episode, seen: BatchNormStats) -> Judged:
        """Compute losses and deep features of the joined batch with θ, domain after domain."""
        domains = self.facts.needs(0, len(episode.batches))
        factor = len(domains) if self.rule.aggregation == "sum" else 1
        if self.rule.aggregation_batch_norm == "joint":
            joined = self.judge(join([batch_at(episode, i) for i in domains]), 0, seen)
            return Judged(joined.deep, joined.cls * factor, joined.dep * factor)
        judged = [self.meta_train(episode, i, seen) for i in domains]
        deep = torch.cat([j.deep for j in judged])
        cls, dep = (torch.stack(terms).mean() * factor for terms in list(zip(*judged, strict=True))[1:])
        return Judged(deep, cls, dep)

    def _adapt(self, episode: Episode, train: Judged) -> Weights:
        label = torch.cat([batch_at(episode, i).label for i in self.facts.needs(0, len(episode.batches))])
        parts = 1 if self.rule.aggregation_batch_norm == "joint" else len(episode.batches) - 1
        factor = len(episode.batches) - 1 if self.rule.aggregation == "sum" else 1

        def loss_with(weights: Weights) -> Tensor:
            halves = zip(train.deep.chunk(parts), label.chunk(parts), strict=True)
            losses = [liveness_loss(forward_adapted(self.nets.M, weights, x), y) for x, y in halves]
            return torch.stack(losses).mean() * factor

        rule = self.rule
        return adapt(self.nets.M, train.cls, loss_with, rate=rule.inner_learning_rate, steps=rule.inner_steps)


def join(batches: list[Batch]) -> Batch:
    """Join batches to one, in order."""
    return Batch(
        torch.cat([b.image for b in batches]),
        torch.cat([b.depth for b in batches]),
        torch.cat([b.label for b in batches]),
    )
