"""Define MetaReg, a meta-learned regulariser (Balaji, Sankaranarayanan & Chellappa, NeurIPS 2018).

The classifier that is regularised is M's last layer: a linear function of the C pooled features of M, whose
parameters β are C weights and a bias. The regulariser is R_φ(β) = Σ_j φ_j |β_j|.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.embedding import Embedding, channels
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Setting
from rfmeta_dist.models.networks import Networks


class Regulariser(nn.Module):
    """The weights φ of R_φ. They begin at zero, which is no regularisation.

    Args:
        count: number of parameters of the classifier.
        learned: True if they are learned, False if they are constants.
    """

    phi: Tensor

    def __init__(self, count: int, learned: bool) -> None:
        super().__init__()
        if learned:
            self.phi = nn.Parameter(torch.zeros(count))
        else:
            self.register_buffer("phi", torch.zeros(count))


class MetaRegFirst(Embedding):
    """The first phase, which learns φ. Task i is domain i, which has a linear classifier θ_i of its own.

    J = Σ_i L_i(ψ, θ_i) + L_b(ψ, β_l)  with  β_0 = θ_a,  β_{k+1} = β_k − α ∇_β [ L_a(ψ, β_k) + R_φ(β_k) ]

    ψ are F and M without its last layer. The second term trains φ alone: in it ψ and θ_a are constants. (a, b)
    is a random ordered pair of domains: those in the first and the last position of the episode. `inner_steps`
    is l. M's last layer and D are not run in this phase.
    """

    PARTS = ("cls", "cls_other_domain")

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return the classifiers θ_i of all sources, as one layer with an output for each, and φ."""
        features = channels(model)
        return {
            "heads": nn.Linear(features, setting.domains),
            "regulariser": Regulariser(features + 1, learned=True),
        }

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute this worker's domains, and its fraction of the term of φ, which every worker computes."""
        weight, bias = self._heads()
        cls = next(self.parameters()).new_zeros(())
        own = []
        for i in part.tasks:
            batch = batch_at(episode, i)
            pooled = self.pool(self.deep(batch))
            seen.note(i, "F", "M")
            cls = cls + liveness_loss(f.linear(pooled, weight, bias)[:, episode.domains[i]], batch.label)
            own.append(pooled.detach())
        pooled, label = self.of_all(episode, part, own)
        other = self._other(episode, pooled.detach(), label) * self.part_of(episode, part)
        return cls + other, [cls, other]

    def _heads(self) -> tuple[Tensor, Tensor]:
        """Return weights and biases of all θ_i, one row and one number for each source."""
        return self.nets.get_parameter("X.heads.weight"), self.nets.get_parameter("X.heads.bias")

    def _other(self, episode: Episode, pooled: Tensor, label: Tensor) -> Tensor:
        """Compute L_b(ψ, β_l) from the pooled features N×B×C and labels N×B of all domains."""
        (weight, bias), phi = self._heads(), self.nets.get_parameter("X.regulariser.phi")
        a = episode.domains[0]
        beta = torch.cat([weight[a], bias[a, None]]).detach().requires_grad_()
        for _ in range(self.rule.inner_steps):
            loss = _loss(pooled[0], label[0], beta) + _penalty(phi, beta)
            (gradient,) = torch.autograd.grad(loss, beta, create_graph=True)
            beta = beta - self.rule.inner_learning_rate * gradient
        return _loss(pooled[-1], label[-1], beta)


def _loss(pooled: Tensor, label: Tensor, beta: Tensor) -> Tensor:
    """Return the mean loss of a linear classifier on B×C features and B labels."""
    return liveness_loss(f.linear(pooled, beta[None, :-1], beta[-1:])[:, 0], label)


def _penalty(phi: Tensor, beta: Tensor) -> Tensor:
    """Return R_φ(β)."""
    return (phi * beta.abs()).sum()


class MetaReg(Objective):
    """The second phase, which trains new networks with the φ of the first. Task i is domain i.

    J = Σ_i [ L_cls(T_i; θF, θM) + R_φ(β) ] over all N domains, for the parameters β of M's last layer

    Negative weights φ_j count as zero here. They would reward large weights without bound.
    """

    PARTS = ("cls", "regulariser")
    EARLIER: ClassVar[tuple[type[Objective], ...]] = (MetaRegFirst,)

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return φ, which no optimiser changes."""
        return {"regulariser": Regulariser(channels(model) + 1, learned=False)}

    def begin_from(self, before: Networks) -> None:
        """Take over φ. All other weights begin anew."""
        phi = before.get_parameter("X.regulariser.phi").detach()
        self.nets.get_buffer("X.regulariser.phi").copy_(phi)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the terms of this worker's domains."""
        last, phi = self.nets.M.fc2_1, self.nets.get_buffer("X.regulariser.phi")
        beta = torch.cat([last.weight[0], last.bias])
        cls = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            cls = cls + self.meta_train(episode, i, seen, depth=False).cls
        penalty = _penalty(phi.clamp(min=0), beta) * len(part.tasks)
        return cls + penalty, [cls, penalty]
