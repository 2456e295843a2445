"""Define MADDG: multi-adversarial deep domain generalisation (Shao, Lan, Li & Yuen, CVPR 2019).

Phase 1 trains an extractor for each source domain alone. In phase 2 a critic for each source tells the features
of its extractor from those of a common one, which learns to pass for all of them.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.embedding import Embedding, distances
from rfmeta_dist.methods.base.losses import depth_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Optimiser, Setting, Turn
from rfmeta_dist.models.build import build
from rfmeta_dist.models.networks import BLOCK, Features, Networks, scaled
from rfmeta_dist.models.norm import BatchNorm2d

MARGIN, MARGIN_INSIDE = 0.5, 0.1  # of triplets of two domains, and of those inside one
INSIDE = 0.1  # weight of triplets inside one domain
SIDE = 4  # of the maps that a critic does not halve again, in pixels


class _Sources(Objective):
    """The part of both phases that runs the networks of single sources."""

    def run(self, extractor: nn.Module, batch: Batch) -> Features:
        """Return the features of a batch by an extractor of its own domain."""
        with self._precision(batch):
            features: Features = extractor(batch.image)
        return features

    def absent(self, episode: Episode) -> Tensor:
        """Return 0, with gradients of 0 for all networks of `X` if an episode lacks some of the sources.

        All parameters then have had equally many updates, as a resumed run takes for granted.
        """
        zero = next(self.parameters()).new_zeros(())
        if len(episode.batches) == self.setting.domains:
            return zero
        return zero + 0 * sum(p.sum() for p in self.nets.X.parameters() if p.requires_grad)


class Extractors(_Sources):
    """The first phase: task i trains extractor and depth estimator of source i on its depth.

    J = 1/N Σ_i L_dep(T_i; θF_i, θD_i). F, M and D are not run and keep their initial weights.
    """

    PARTS = ("dep",)

    def __init__(self, nets: Networks, rule: Method, **more: Any) -> None:
        super().__init__(nets, rule, **more)
        for net in nets.extra.values():
            net.checkpointing = nets.F.checkpointing

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return an extractor and a depth estimator for each source."""
        made = [build(model) for _ in range(setting.domains)]
        extractors = {f"extractor_{k}": nets.F for k, nets in enumerate(made)}
        return {**extractors, **{f"depth_{k}": nets.D for k, nets in enumerate(made)}}

    def turns(self) -> tuple[Turn, ...]:
        """Return the only turn, which trains the networks of all sources."""
        return (Turn(self.share, self.PARTS, Optimiser(self.setting.rate, trains=("X.",))),)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the depth losses of this worker's domains, each with the domain's own networks."""
        total = self.absent(episode)
        for i in part.tasks:
            batch, k = batch_at(episode, i), episode.domains[i]
            features = self.run(self.nets.X[f"extractor_{k}"], batch)
            with self._precision(batch):
                depth = self.nets.X[f"depth_{k}"](features.shallow)
            total = total + depth_loss(depth.to(batch.depth.dtype), batch.depth) / len(episode.batches)
        return total, [total]


class MADDG(_Sources, Embedding):
    """The second phase: new F, M and D, a critic A_k for each source, and the frozen extractors F_k.

        depth:   J = 1/N Σ_i L_dep(T_i; θF, θD), on F and D
        shared:  J = 1/N Σ_i [ L_cls(T_i; θF, θM) + 1/N Σ_k |A_k(F(x_i)) − 1|² ] + triplets, on F and M
        critics: J = ½ Σ_i [ |A_i(F_i(x_i)) − 1|² + 1/N Σ_k |A_k(F(x_i))|² ], on the critics

    Each |…|² is a mean over images and positions. F_k, F and M normalise with the statistics of one domain's
    batch, and so do the critics.
    """

    PARTS = ("cls", "triplet", "shared")
    EARLIER = (Extractors,)

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:
        """Return the extractor and the critic of each source."""
        first = Extractors.extra_modules(model, rule, setting)
        extractors = {name: net for name, net in first.items() if name.startswith("extractor_")}
        return {**extractors, **{f"critic_{k}": Critic(model.width) for k in range(setting.domains)}}

    def begin_from(self, before: Networks) -> None:
        """Take over the extractors of the first phase."""
        for name, net in self.nets.extra.items():
            if name in before.extra:
                net.load_state_dict(before.extra[name].state_dict())

    def turns(self) -> tuple[Turn, ...]:
        """Return the turns of the depth, of the shared features and of the critics."""
        slow = self.rule.adversarial_learning_rate
        return (
            Turn(self.depths, ("dep",), Optimiser(self.setting.rate, trains=("F.", "D."))),
            Turn(self.share, self.PARTS, Optimiser(slow, trains=("F.", "M."))),
            Turn(self.critics, ("critics",), Optimiser(slow, trains=("X.critic_",))),
        )

    def depths(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the depth losses of this worker's domains."""
        total = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            total = total + self.depth(episode, i, seen) / len(episode.batches)
        return total, [total]

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the losses of this worker's domains, and its fraction of the triplet losses."""
        count = len(episode.batches)
        own, cls, shared = [], *([next(self.parameters()).new_zeros(())] * 2)
        for i in part.tasks:
            deep, pooled, loss = self.embed(episode, i, seen)
            own.append(f.normalize(pooled, dim=1))
            cls = cls + loss / count
            for k in episode.domains:
                shared = shared + (self.nets.X[f"critic_{k}"](deep) - 1).square().mean() / count**2
        triplet = triplets(*self.of_all(episode, part, own)) * self.part_of(episode, part)
        return cls + triplet + shared, [cls, triplet, shared]

    def critics(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the critics' losses on this worker's domains. The features are constants in it."""
        total = self.absent(episode)
        for i in part.tasks:
            batch, own = batch_at(episode, i), episode.domains[i]
            with torch.no_grad():  # statistics are noted in the turns before
                real = self.run(self.nets.X[f"extractor_{own}"], batch).deep.to(batch.label.dtype)
                deep = self.deep(batch)
            total = total + (self.nets.X[f"critic_{own}"](real) - 1).square().mean() / 2
            for k in episode.domains:
                total = total + self.nets.X[f"critic_{k}"](deep).square().mean() / (2 * len(episode.batches))
        return total, [total]


def triplets(h: Tensor, label: Tensor) -> Tensor:
    """Return the triplet losses of all pairs of domains, and 0.1 times those inside each domain.

    Args:
        h: N×B×C, of norm 1.
        label: N×B, 1 live, 0 attack. Each domain has both.
    """

    def hardest(domains: tuple[int, ...], margin: float) -> Tensor:
        some = torch.cat([h[d] for d in domains]), torch.cat([label[d] for d in domains])
        return hardest_triplets(*some, margin)

    loss, every = h.new_zeros(()), range(len(h))
    for pair in combinations(every, 2):
        loss = loss + hardest(pair, MARGIN)
    for i in every:
        loss = loss + INSIDE * hardest((i,), MARGIN_INSIDE)
    return loss


def hardest_triplets(h: Tensor, label: Tensor, margin: float) -> Tensor:
    """Return the mean over samples of the loss with the farthest of its class and the nearest of the other one.

    Args:
        h: n×C.
        label: n.
        margin: by which the nearest of the other class shall be farther away.
    """
    distance = distances(h)
    same = label[:, None] == label
    farthest = distance.masked_fill(~same, -torch.inf).amax(1)
    nearest = distance.masked_fill(same, torch.inf).amin(1)
    return f.relu(farthest - nearest + margin).mean()


class Critic(nn.Module):
    """A_k: four 4×4 convolutions without bias on deep features, with batch norm and LeakyReLU between them.

    Each of the first three halves maps of more than 4×4 pixels, and keeps the size of smaller ones. At 256×256
    pixels, where deep features have 32×32, that is the critic of the authors' code.

    Args:
        width: channel multiplier.
    """

    def __init__(self, width: float) -> None:
        super().__init__()
        channels = [scaled(c, width) for c in (BLOCK[-1], 128, 256, 512)]
        self.convs, self.bns = nn.ModuleList(), nn.ModuleList()
        for before, after in pairwise(channels):
            self.convs.append(nn.Conv2d(before, after, 4, bias=False))
            self.bns.append(BatchNorm2d(after))
        self.last = nn.Conv2d(channels[-1], 1, 4, padding=1, bias=False)

    def forward(self, deep: Tensor) -> Tensor:
        """Convert B×128×h×h to a map B×1×h'×h' of judgements: near 1 for features of the critic's source."""
        x = deep
        for conv, norm in zip(self.convs, self.bns, strict=True):
            assert isinstance(conv, nn.Conv2d)
            halve = x.shape[-1] > SIDE
            x = f.pad(x, (1, 1, 1, 1) if halve else (1, 2, 1, 2))
            x = f.leaky_relu(norm(f.conv2d(x, conv.weight, stride=2 if halve else 1)), 0.2)
        judged: Tensor = self.last(x)
        return judged
