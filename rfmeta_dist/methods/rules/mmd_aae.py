"""Define MMD-AAE: features that agree between domains and with a prior (Li, Pan, Wang & Kot, CVPR 2018)."""

from __future__ import annotations

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.embedding import Embedding, channels, perceptron, squared_distances
from rfmeta_dist.methods.base.objective import batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Optimiser, Setting, Turn
from rfmeta_dist.models.networks import BLOCK, scaled

KERNELS = (0.25, 1.0, 4.0)  # bandwidths of the kernels, in units of the mean squared distance
SIDE = 4  # of the smallest maps of the decoder, in pixels


class MMDAAE(Embedding):
    """A rule whose task i is the terms of domain i. D is never run and keeps its initial weights.

    With h = M's pooled features, a decoder P and a critic A that tells draws p of the prior from features:

        critic:  J = 1/N Σ_i [ BCE(A(p_i), 1) + BCE(A(h_i), 0) ], on A alone
        encoder: J = 1/N Σ_i [ L_cls(T_i) + λ0 |P(h_i) − x_i|² + λ2 BCE(A(h_i), 1) ] + λ1 MMD(h_1, …, h_N),
                 on F, M and P; x is the image at an eighth of its size

    h is the input of M's last layer, so it cannot be negative. The prior has the magnitudes of a Laplace
    distribution of scale 1 for that reason.
    """

    PARTS = ("cls", "rec", "mmd", "prior")

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return the critic and the decoder."""
        width = channels(model)
        return {"critic": perceptron(width, 1), "decoder": Decoder(width, scaled(BLOCK[-1], model.width))}

    def turns(self) -> tuple[Turn, ...]:
        """Return the critic's turn, then that of encoder, decoder and classifier."""
        rate = self.setting.rate
        return (
            Turn(self.critic, ("critic",), Optimiser(rate, trains=("X.critic.",))),
            Turn(self.share, self.PARTS, Optimiser(rate, trains=("F.", "M.", "X.decoder."))),
        )

    def critic(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the critic's losses on this worker's domains. The features are constants in it."""
        critic, total = self.nets.X["critic"], next(self.parameters()).new_zeros(())
        for i in part.tasks:
            with torch.no_grad():  # statistics are noted in the encoder's turn alone
                h = self.pool(self.deep(batch_at(episode, i)))
            draw = self.random(episode, "prior", episode.domains[i])
            prior = torch.empty(h.shape, dtype=torch.float64).exponential_(generator=draw).to(h)
            total = total + f.softplus(-critic(prior)).mean() + f.softplus(critic(h)).mean()
        loss = total / len(episode.batches)
        return loss, [loss]

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the encoder's losses on this worker's domains, and its fraction of the MMD of all."""
        rule, count = self.rule, len(episode.batches)
        own, cls, rec, prior = [], *([next(self.parameters()).new_zeros(())] * 3)
        for i in part.tasks:
            _, h, loss = self.embed(episode, i, seen)
            small = f.avg_pool2d(batch_at(episode, i).image, 8)
            own.append(h)
            cls = cls + loss / count
            rec = rec + f.mse_loss(self.nets.X["decoder"](h, small.shape[-1]), small) / count
            prior = prior + f.softplus(-self.nets.X["critic"](h)).mean() / count
        mmd = discrepancy(self.of_all(episode, part, own)[0]) * self.part_of(episode, part)
        loss = cls + rule.reconstruction_weight * rec + rule.mmd_weight * mmd + rule.prior_weight * prior
        return loss, [cls, rec, mmd, prior]


def discrepancy(h: Tensor) -> Tensor:
    """Return the squared MMD of features N×B×C (Gretton et al., JMLR 2012), the mean over all pairs of domains.

        MMD²(i, j) = mean k(h_i, h_i) + mean k(h_j, h_j) − 2 mean k(h_i, h_j)

    k is the sum of Gaussian kernels whose bandwidths are multiples of the mean squared distance between two
    samples. So a smaller scale of h does not make the discrepancy smaller.
    """
    domains, size = h.shape[:2]
    distances = squared_distances(h.flatten(0, 1))
    samples = domains * size
    scale = distances.sum() / (samples * (samples - 1))
    near = distances / scale.clamp_min(torch.finfo(h.dtype).tiny)
    kernel = torch.stack([torch.exp(-near / width) for width in KERNELS]).sum(0)
    within = kernel.view(domains, size, domains, size).mean(dim=(1, 3))
    pairs = within.diagonal()[:, None] + within.diagonal() - 2 * within
    return pairs.sum() / max(1, domains * (domains - 1))


class Decoder(nn.Module):
    """P: a linear layer to maps of 4×4 pixels, which are enlarged, and two 3×3 convolutions.

    Args:
        inputs: number of features.
        width: number of channels inside.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, width * SIDE**2)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 6, 3, padding=1)

    def forward(self, h: Tensor, side: int) -> Tensor:
        """Convert B×C to B×6×side×side, where side is a multiple of 4."""
        times = side // SIDE
        x = f.relu(self.fc(h)).view(len(h), -1, SIDE, 1, SIDE, 1)
        x = x.expand(-1, -1, -1, times, -1, times).reshape(len(h), -1, side, side)
        decoded: Tensor = self.conv2(f.relu(self.conv1(x)))
        return decoded
