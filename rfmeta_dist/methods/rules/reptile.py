"""Define Reptile (Nichol, Achiam & Schulman, 2018, Algorithm 1) with the source domains as its tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.inner import Weights, forward_adapted
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Optimiser, Turn
from rfmeta_dist.methods.base.whole import Whole


class Reptile(Objective):
    """A rule with a single task: inner steps from θ to φ, one on each domain in turn, in a random order.

    θ_0 = θ,  θ_k = θ_{k−1} − α ∇L_cls(T_k; θ_{k−1}),  φ = θ_N;  then  θ ← θ + ε (mean over episodes of φ − θ)

    θ is all of F and M, and ε falls from 1 to 0 along a straight line. D is never run and keeps its initial
    weights. The outer step is one of plain SGD with rate ε, because θ − φ is the gradient of ⟨θ − φ, θ⟩ with
    θ − φ as a constant. The value that is shown as the loss is the mean of the N losses L_cls(T_k; θ_{k−1}).

    The inner steps are of plain SGD. Adam, of the paper's experiments, would need its second moments from
    episode to episode, and then the result would depend on which worker computes which episodes.
    """

    PARTS = ("cls",)

    def turns(self) -> tuple[Turn, ...]:
        """Return the outer step."""
        outer = Optimiser(1.0, "sgd", linear=self.setting.steps)
        return (Turn(self.share, self.PARTS, outer),)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the inner steps of an episode. They follow each other, so one worker takes them all."""
        learner, rate = Whole(self.nets, self.bf16), self.rule.inner_learning_rate
        start: Weights = dict(learner.named_parameters())
        weights, losses = start, []
        for i in range(len(episode.batches)):
            batch = batch_at(episode, i)
            weights = {name: w.detach().requires_grad_() for name, w in weights.items()}
            loss = liveness_loss(forward_adapted(learner, weights, batch.image), batch.label)
            if i == 0:  # the later forward passes are with other weights than θ
                seen.note(i, "F", "M")
            gradients = torch.autograd.grad(loss, list(weights.values()), materialize_grads=True)
            steps = zip(weights.items(), gradients, strict=True)
            weights = {name: w - rate * gradient for (name, w), gradient in steps}
            losses.append(loss.detach())
        outer = torch.stack([((w - weights[name]).detach() * w).sum() for name, w in start.items()]).sum()
        mean = torch.stack(losses).mean()
        return mean + (outer - outer.detach()), [mean]
