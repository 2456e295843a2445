"""Define fine-grained meta-learning on domain pairs, the base of `rfmeta`, `first_order` and `no_depth`."""

from __future__ import annotations

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.inner import Weights, adapt, forward_adapted
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats


class Pairs(Objective):
    """A rule whose task i is the pair (T_i, T): adapt M on meta-train domain T_i, test it on meta-test T.

    J = Σ_i [ L_cls(T_i; θF, θM) + λ L_dep(T_i) + μ L_cls(T; θF, θM_i') ] + μ λ L_dep(T)

    Attributes:
        SECOND_ORDER: True to differentiate through the inner gradient.
        DEPTH: True if J has the terms with λ.
    """

    PARTS: tuple[str, ...] = ("cls_meta_train", "dep_meta_train", "cls_meta_test", "dep_meta_test")
    SECOND_ORDER = True
    DEPTH = True

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the terms of this worker's pairs, and its share of the meta-test depth term.

        The meta-test depth term does not depend on the pair, so it occurs once in J.
        """
        adapted: list[Weights] = []
        trained = []
        for i in part.tasks:
            trained.append(self.meta_train(episode, i, seen, depth=self.DEPTH))
            adapted.append(self._adapt(episode, i, trained[-1].deep, trained[-1].cls))
        test = self.meta_test(episode, part, seen, depth=self.DEPTH)
        # A worker without tasks must take part in the gathered features' backward pass too. This zero makes its
        # loss depend on them.
        zero = 0 * test.deep.sum()
        cls_train = sum((t.cls for t in trained), zero)
        dep_train = sum((t.dep for t in trained), zero)
        cls_test = sum(
            (liveness_loss(forward_adapted(self.nets.M, w, test.deep), test.label) for w in adapted), zero
        )
        depth_weight, meta_test_weight = self.rule.depth_weight, self.rule.meta_test_weight
        if not self.DEPTH:
            return cls_train + meta_test_weight * cls_test, [cls_train, cls_test]
        train = cls_train + depth_weight * dep_train
        loss = train + meta_test_weight * (cls_test + depth_weight * test.dep)
        return loss, [cls_train, dep_train, cls_test, test.dep]

    def _adapt(self, episode: Episode, i: int, deep: Tensor, loss: Tensor) -> Weights:
        label = batch_at(episode, i).label
        return adapt(
            self.nets.M,
            loss,
            lambda weights: liveness_loss(forward_adapted(self.nets.M, weights, deep), label),
            rate=self.rule.inner_learning_rate,
            steps=self.rule.inner_steps,
            second_order=self.SECOND_ORDER,
        )
