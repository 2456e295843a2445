"""Define the interface of a learning rule: an objective J that is a sum over tasks.

    J(episode) = Σ over tasks of loss(task)

A worker computes the share of J that comes from its tasks. The sum of the shares of all workers is J, and the
sum of their gradients is ∇J. A single process is the case in which one worker has every task. The share is
computed in the `forward` of one module, so that DDP and DeepSpeed can wrap the module without knowing of inner
updates.

The objective of a step with several episodes (a meta-batch) is the mean of the objectives of its episodes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method
from rfmeta_dist.core.types import Batch, Episode, Peers
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base import statistics
from rfmeta_dist.methods.base.gather import gather
from rfmeta_dist.methods.base.losses import depth_loss, liveness_loss
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.models.networks import Features, Networks

Work = Sequence[tuple[Episode, WorkerShare]]


class Judged(NamedTuple):
    """The forward pass of a domain with θ: `deep` features for M, and the losses (L_dep is 0 without depth)."""

    deep: Tensor
    cls: Tensor
    dep: Tensor


class MetaTest(NamedTuple):
    """The meta-test domain: deep features and labels of all its rows, and this worker's share of L_dep(T)."""

    deep: Tensor
    label: Tensor
    dep: Tensor


class Objective(nn.Module):
    """The base class of learning rules.

    Args:
        nets: the networks F, M and D.
        rule: the configuration's `method` section: α, λ, μ and the other settings.
        bf16: True to run F and D under bf16 autocast; M, the inner update and the losses keep their precision.
        peers: the workers that share an episode with this one; None without a process group.

    Attributes:
        PARTS: names of the unweighted loss terms that `share` returns, in order.
        facts: facts about the rule: how many tasks an episode has, and which batches each task needs.
    """

    PARTS: tuple[str, ...]

    def __init__(self, nets: Networks, rule: Method, *, bf16: bool = False, peers: Peers | None = None) -> None:
        super().__init__()
        self.nets = nets
        self.rule = rule
        self.facts = rule.facts
        self.bf16 = bf16
        self.peers = peers

    @abstractmethod
    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the share of J that comes from one worker's part of an episode.

        Args:
            episode: the episode's batches, as far as this worker needs them.
            part: the worker's tasks and rows.
            seen: the table to which batch statistics are noted.

        Returns:
            The share of J (scalar, differentiable), and the share of each of the `PARTS`.
        """

    def forward(self, work: Work, episodes: int) -> tuple[Tensor, Tensor]:
        """Compute this worker's share of a step.

        Args:
            work: the worker's parts, each with its episode.
            episodes: number of episodes in the step, over all workers.

        Returns:
            The share of J (scalar, differentiable), and a flat float64 record without gradient. The records of
            all workers must be summed; `read` and `fold` take the sum.
        """
        positions = len(work[0][0].batches)
        seen = BatchNormStats(self.nets, episodes * positions)
        loss = next(self.parameters()).new_zeros(())
        parts = [loss] * len(self.PARTS)
        for episode, part in work:
            if part.idle:
                continue
            seen.start = part.episode * positions
            value, shares = self.share(episode, part, seen)
            loss = loss + value / episodes
            parts = [p + s.detach() / episodes for p, s in zip(parts, shares, strict=True)]
        # A worker without work must take part in the strategy's reduction too, with gradients of zero.
        if not loss.requires_grad:
            loss = loss + 0 * sum(p.sum() for p in self.parameters())
        values = torch.stack([value.detach().double() for value in (loss, *parts)])
        return loss, torch.cat([values, seen.table.flatten()])

    def read(self, record: Tensor) -> dict[str, float]:
        """Return J (as `loss`) and its parts by name, from the summed record."""
        return dict(zip(("loss", *self.PARTS), record[: 1 + len(self.PARTS)].tolist(), strict=True))

    def fold(self, record: Tensor) -> None:
        """Update the networks' running statistics with the batch statistics in the summed record."""
        table = record[1 + len(self.PARTS) :].view(-1, statistics.width(self.nets))
        statistics.fold(self.nets, table)

    def meta_train(self, episode: Episode, i: int, seen: BatchNormStats, *, depth: bool = True) -> Judged:
        """Compute L_cls and L_dep of the domain at position i with θ."""
        return self.judge(batch_at(episode, i), i, seen, depth=depth)

    def judge(self, batch: Batch, i: int, seen: BatchNormStats, *, depth: bool = True) -> Judged:
        """Compute L_cls and L_dep of a batch with θ. Its statistics are noted for the domain at position i."""
        features = self._features(batch, None)
        deep = features.deep.to(batch.label.dtype)
        cls = liveness_loss(self.nets.M(deep), batch.label)
        if not depth:
            seen.note(i, "F", "M")
            return Judged(deep, cls, torch.zeros_like(cls))
        dep = self._depth(features, batch, None)
        seen.note(i, "F", "M", "D")
        return Judged(deep, cls, dep)

    def meta_test(
        self, episode: Episode, part: WorkerShare, seen: BatchNormStats, *, depth: bool = True
    ) -> MetaTest:
        """Run F and D on the meta-test domain with θ, on this worker's rows alone if the batch is shared."""
        last = len(episode.batches) - 1
        batch = batch_at(episode, last)
        peers = self.peers if part.shared else None
        features = self._features(batch, peers)
        deep, label = features.deep.to(batch.label.dtype), batch.label
        dep = torch.zeros_like(label[0])
        if depth:
            dep = self._depth(features, batch, peers)
        if peers is None:  # each worker forwards all of T, so its share of the term is its share of the tasks
            dep = dep * (len(part.tasks) / self.facts.count(last + 1))
        else:
            total = float(peers.sum(torch.full_like(label[:1], len(label))))
            dep = dep * (len(label) / total)
            deep = gather(deep, part.rows, int(total), peers)
            label = gather(label, part.rows, int(total), peers)
        if part.first:
            seen.note(last, *(("F", "D") if depth else ("F",)))
        return MetaTest(deep, label, dep)

    def _features(self, batch: Batch, peers: Peers | None) -> Features:
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=self.bf16):
            features: Features = self.nets.F(batch.image, peers)
        return features

    def _depth(self, features: Features, batch: Batch, peers: Peers | None) -> Tensor:
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=self.bf16):
            depth = self.nets.D(features.shallow, peers)
        return depth_loss(depth.to(batch.depth.dtype), batch.depth)


def batch_at(episode: Episode, position: int) -> Batch:
    """Return the batch at a position of the episode.

    Raises:
        ValueError: the episode lacks the batch, because no task of this worker was planned to read it.
    """
    batch = episode.batches[position]
    if batch is None:
        raise ValueError(f"the episode holds no batch at position {position}")
    return batch
