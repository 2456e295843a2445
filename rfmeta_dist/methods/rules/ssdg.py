"""Define SSDG: live faces are one class, attacks are one for each domain (Jia et al., CVPR 2020)."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.embedding import Embedding, channels, distances, perceptron
from rfmeta_dist.methods.base.objective import batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Setting

MARGIN = 0.1  # between the distances of a triplet
STEEPNESS = 10.0  # of the rise of the reversal's factor


class SSDG(Embedding):
    """A rule whose task i is the terms of domain i. D is never run and keeps its initial weights.

    With h = M's pooled features divided by their norm, and A a classifier of domains:

        J = 1/N Σ_i [ L_cls(T_i; θF, θM) + λa CE(A(R(h_i)), i) over live faces ] + λt triplet(h_1, …, h_N)

    R is the identity with the derivative −c, and c rises from 0 to 1 during training. So F and M learn features
    from which A cannot tell the domain of a live face. In the triplets, live faces of all domains are one
    class, and the attacks of each domain are a class of their own.
    """

    PARTS = ("cls", "domain", "triplet")

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return the classifier of domains, with an output for each source."""
        return {"discriminator": perceptron(channels(model), setting.domains)}

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the losses of this worker's domains, and its fraction of the triplet loss of all."""
        factor, count = reversal(episode.step, self.setting.steps), len(episode.batches)
        own, cls, domain = [], *([next(self.parameters()).new_zeros(())] * 2)
        for i in part.tasks:
            _, pooled, loss = self.embed(episode, i, seen)
            own.append(f.normalize(pooled, dim=1))
            cls = cls + loss / count
            label = batch_at(episode, i).label
            domain = domain + self._domain(own[-1], label, episode.domains[i], factor) / count
        triplet = active_triplets(*self.of_all(episode, part, own)) * self.part_of(episode, part)
        loss = cls + self.rule.adversarial_weight * domain + self.rule.triplet_weight * triplet
        return loss, [cls, domain, triplet]

    def _domain(self, h: Tensor, label: Tensor, domain: int, factor: float) -> Tensor:
        """Return the mean cross entropy of A on the live faces of a batch."""
        reversed_: Tensor = _Reversal.apply(h, factor)  # type: ignore[no-untyped-call]
        logits = self.nets.X["discriminator"](reversed_)
        each = f.cross_entropy(logits, torch.full_like(label, domain, dtype=torch.long), reduction="none")
        # A product, because the selection of rows by a mask would make the host wait for a GPU.
        return (each * label).sum() / label.sum().clamp_min(1)


def reversal(step: int, steps: int) -> float:
    """Return the factor of the gradient reversal (Ganin & Lempitsky, ICML 2015), which rises from 0 to 1.

    Args:
        step: the step, from 0; steps count from 1 in the formula.
        steps: number of training steps.
    """
    return 2 / (1 + math.exp(-STEEPNESS * (step + 1) / steps)) - 1


def active_triplets(h: Tensor, label: Tensor) -> Tensor:
    """Return the mean of |a − p| − |a − n| + margin over all triplets for which it is positive; 0 without any.

    a and p are different samples of a class, n is one of another class.

    Args:
        h: N×B×C.
        label: N×B, 1 live, 0 attack.
    """
    domains, size = label.shape
    own = torch.arange(1, domains + 1, device=h.device)[:, None].expand(domains, size)
    kind = torch.where(label > 0.5, 0, own).flatten()
    distance = distances(h.flatten(0, 1))
    same = kind[:, None] == kind
    positive = same & ~torch.eye(len(kind), dtype=torch.bool, device=h.device)
    valid = positive[:, :, None] & ~same[:, None, :]
    over = torch.where(valid, f.relu(distance[:, :, None] - distance[:, None, :] + MARGIN), 0)
    return over.sum() / (over > 0).sum().clamp_min(1)


class _Reversal(torch.autograd.Function):
    """The identity, whose derivative is multiplied by −factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * gradient, None
