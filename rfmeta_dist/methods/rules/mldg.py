"""Define meta-learning for domain generalisation (MLDG; Li, Yang, Song & Hospedales, AAAI 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.inner import Weights, adapt, forward_adapted
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.whole import Whole


class MLDG(Objective):
    """A rule with a single task: one inner update of F and M together on all meta-train domains, one test.

    J = L_trn(θ) + μ L_cls(T; θ − α ∇L_trn(θ)),  L_trn = Σ_i L_cls(T_i; θ) over the N − 1 meta-train domains

    θ is all of F and M. D is never run and keeps its initial weights. The field `mldg_order` says whether the
    gradient goes through ∇L_trn (`second`, as in the paper) or treats it as a constant (`first`).
    """

    PARTS = ("cls_meta_train", "cls_meta_test")

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the objective. A worker without the task has nothing to compute and is not asked."""
        last = len(episode.batches) - 1
        train, test = [batch_at(episode, i) for i in range(last)], batch_at(episode, last)
        learner = Whole(self.nets, self.bf16)

        def loss_with(weights: Weights) -> Tensor:
            losses = [liveness_loss(forward_adapted(learner, weights, b.image), b.label) for b in train]
            return torch.stack(losses).sum()

        own = [self.meta_train(episode, i, seen, depth=False).cls for i in range(last)]
        cls_train = torch.stack(own).sum()
        weights = adapt(
            learner,
            cls_train,
            loss_with,
            rate=self.rule.inner_learning_rate,
            steps=self.rule.inner_steps,
            second_order=self.rule.mldg_order == "second",
        )
        cls_test = liveness_loss(forward_adapted(learner, weights, test.image), test.label)
        return cls_train + self.rule.meta_test_weight * cls_test, [cls_train, cls_test]
