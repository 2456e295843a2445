"""Define the interface of a learning rule: an objective J that is a sum over tasks.

    J(episode) = Σ over tasks of loss(task)

A worker computes the share of J that comes from its tasks. The sum of the shares of all workers is J, and the
sum of their gradients is ∇J. A single process is the case in which one worker has every task. The share is
computed in the `forward` of one module, so that DDP and DeepSpeed can wrap the module without knowing of inner
updates.

The objective of a step with several episodes (a meta-batch) is the mean of the objectives of its episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.seeds import seed as derive_seed
from rfmeta_dist.core.types import Batch, Episode, Peers, SharedBatch
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.gather import gather, gather_places
from rfmeta_dist.methods.base.losses import depth_loss, liveness_loss
from rfmeta_dist.methods.base.statistics import BatchNormStats, Layout
from rfmeta_dist.methods.base.turns import Setting, Turn
from rfmeta_dist.models.networks import Features, Networks

Work = Sequence[tuple[Episode, WorkerShare]]
Shape = tuple[int, ...]


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

    A rule defines `share` and `PARTS`. All else has a default: one turn, one phase, the run's Adam on all
    parameters of F, M and D, and the score σ(M(F(x))).

    Args:
        nets: the networks F, M and D, and the rule's own as `nets.X`.
        rule: the configuration's `method` section: α, λ, μ and the other settings.
        bf16: True to run F and D under bf16 autocast; M, the inner update and the losses keep their precision.
        peers: the workers that share an episode with this one; None without a process group.
        setting: what the rule knows of the run.

    Attributes:
        PARTS: names of the unweighted loss terms that `share` returns, in order.
        EARLIER: the rules of the phases that come before this one.
        SCORE: what `score` computes, in words.
        SCORED: the networks that `score` runs, such as `F` or `X.NAME`; their statistics are recalibrated.
        MACHINE: name of the linear layer in `nets.X` that is fitted after training, as a linear support vector
            machine on `machine_input`; empty if there is none.
        GATHERS: True if a turn uses `gathered`. Workers without a task then take part in it too.
        facts: facts about the rule: how many tasks an episode has, and which batches each task needs.
    """

    PARTS: tuple[str, ...]
    EARLIER: ClassVar[tuple[type[Objective], ...]] = ()
    SCORE: str = "sigmoid(M(F(x)))"
    SCORED: tuple[str, ...] = ("F", "M")
    MACHINE: str = ""
    GATHERS: bool = False

    def __init__(
        self,
        nets: Networks,
        rule: Method,
        *,
        bf16: bool = False,
        peers: Peers | None = None,
        setting: Setting | None = None,
    ) -> None:
        super().__init__()
        if self.MACHINE:
            import sklearn  # noqa: F401  so that a missing package is reported before the training
        self.nets = nets
        self.rule = rule
        self.facts = rule.facts
        self.bf16 = bf16
        self.peers = peers
        self.setting = setting or Setting()
        self._layout = Layout(nets)

    @classmethod
    def extra_modules(cls, model: Model, rule: Method, setting: Setting) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return the networks that the rule needs beside F, M and D, by name. They become `nets.X[name]`.

        Their weights are drawn as those of F, M and D are (`Networks.initialise`). They must contain those of
        `scored_modules`, which are all of them by default.

        Args:
            model: the configuration's `model` section.
            rule: its `method` section.
            setting: what the rule knows of the run.
        """
        return cls.scored_modules(model)

    @classmethod
    def scored_modules(cls, model: Model) -> dict[str, nn.Module]:  # noqa: ARG003
        """Return the networks beside F, M and D that `score` runs, by name. Models and exports contain them."""
        return {}

    def begin_from(self, before: Networks) -> None:
        """Take over what this phase needs from the networks of the phase before. By default that is nothing."""

    @staticmethod
    def score(nets: Networks, image: Tensor) -> Tensor:
        """Return the scores of B×6×S×S: B numbers in [0, 1], float64; higher means more live."""
        return torch.sigmoid(nets.logits(image).double())

    @staticmethod
    def machine_input(nets: Networks, image: Tensor) -> Tensor:
        """Return the features of B×6×S×S that the layer `MACHINE` is fitted to: B×d."""
        raise NotImplementedError

    def turns(self) -> tuple[Turn, ...]:
        """Return the optimiser steps of a training step, in order. By default that is one, on `share`."""
        return (Turn(self.share, self.PARTS),)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the share of J that comes from one worker's part of an episode.

        Args:
            episode: the episode's batches, as far as this worker needs them.
            part: the worker's tasks and rows.
            seen: the table to which batch statistics are noted.

        Returns:
            The share of J (scalar, differentiable), and the share of each of the `PARTS`.
        """
        raise NotImplementedError

    def forward(self, work: Work, episodes: int, turn: int = 0) -> tuple[Tensor, Tensor]:
        """Compute this worker's share of a turn of a step.

        Args:
            work: the worker's parts, each with its episode.
            episodes: number of episodes in the step, over all workers.
            turn: number of the turn.

        Returns:
            The share of J (scalar, differentiable), and a flat float64 record without gradient. The records of
            all workers must be summed; `losses` and `fold` take the sum.
        """
        now = self.turns()[turn]
        positions = len(work[0][0].batches)
        seen = BatchNormStats(self._layout, episodes * positions)
        loss = next(self.parameters()).new_zeros(())
        parts = [loss] * len(now.parts)
        for episode, part in work:
            if part.idle and not self.GATHERS:
                continue
            seen.start = part.episode * positions
            value, shares = now.share(episode, part, seen)
            loss = loss + value / episodes
            parts = [p + s.detach() / episodes for p, s in zip(parts, shares, strict=True)]
        # A worker without work must take part in the strategy's reduction too, with gradients of zero.
        if not loss.requires_grad:
            loss = loss + 0 * sum(p.sum() for p in self.parameters())
        values = torch.stack([value.detach().double() for value in (loss, *parts)])
        return loss, torch.cat([values, seen.table.flatten()])

    def losses(self, record: Tensor, turn: int = 0) -> dict[str, Tensor]:
        """Return J (as `loss`) and its parts by name, float64 scalars on the device, from the summed record."""
        parts = self.turns()[turn].parts
        return dict(zip(("loss", *parts), record[: 1 + len(parts)], strict=True))

    def fold(self, record: Tensor, turn: int = 0) -> None:
        """Update the networks' running statistics with the batch statistics in the summed record."""
        parts = self.turns()[turn].parts
        self._layout.fold(record[1 + len(parts) :].view(-1, sum(self._layout.sizes)))

    def random(self, episode: Episode, *names: str | int) -> torch.Generator:
        """Return a generator on the CPU whose draws depend on the run's seed, the episode and names alone.

        So they are the same on every worker and after every resume. Draw on the CPU and move the result.
        """
        return torch.Generator().manual_seed(derive_seed(self.setting.seed, "rule", episode.number, *names))

    def gathered(self, episode: Episode, part: WorkerShare, own: Sequence[Tensor], shape: Shape) -> Tensor:
        """Return the tensors of all domains of an episode, in the order of positions, with their gradients.

        For rules with a task for each domain whose loss compares domains. Every worker of the episode's group
        gets the same tensor. A loss on it must be multiplied by `part_of(episode, part)`, so that the workers'
        shares sum to the loss. Call it at most once in a turn, on every worker.

        Args:
            episode: the episode.
            part: this worker's part.
            own: a tensor for each of this worker's tasks; none if it has no task.
            shape: the shape of each of these tensors, which a worker without a task must know too.

        Returns:
            N×shape, one row for each of the N positions.
        """
        one = next(p for p in self.parameters() if p.requires_grad)
        rows = torch.stack(list(own)) if own else one.new_zeros(0, *shape) + 0 * one.sum()
        if self.peers is None:
            return rows
        return gather_places(rows, part.tasks, len(episode.batches), self.peers)

    @staticmethod
    def part_of(episode: Episode, part: WorkerShare) -> float:
        """Return this worker's fraction of an episode's domains; the fractions of a group sum to 1."""
        return len(part.tasks) / len(episode.batches)

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

    def depth(self, episode: Episode, i: int, seen: BatchNormStats) -> Tensor:
        """Compute L_dep of the domain at position i with θ, without M."""
        batch = batch_at(episode, i)
        dep = self._depth(self._features(batch, None), batch, None)
        seen.note(i, "F", "D")
        return dep

    def meta_test(
        self, episode: Episode, part: WorkerShare, seen: BatchNormStats, *, depth: bool = True
    ) -> MetaTest:
        """Run F and D on the meta-test domain with θ, on this worker's rows alone if the batch is shared."""
        last = len(episode.batches) - 1
        batch = batch_at(episode, last)
        shared = SharedBatch(self.peers, part.rows, part.total) if self.peers and part.shared else None
        features = self._features(batch, shared)
        deep, label = features.deep.to(batch.label.dtype), batch.label
        dep = torch.zeros_like(label[0])
        if depth:
            dep = self._depth(features, batch, shared)
        if shared is None:  # each worker forwards all of T, so its share of the term is its share of the tasks
            dep = dep * (len(part.tasks) / self.facts.count(last + 1))
        else:
            dep = dep * (len(part.rows) / part.total)
            # Labels travel beside the features, so that workers communicate once.
            both = gather(torch.cat([deep.flatten(1), label[:, None]], dim=1), shared)
            deep, label = both[:, :-1].view(-1, *deep.shape[1:]), both[:, -1].detach()
        if part.first:
            seen.note(last, *(("F", "D") if depth else ("F",)))
        return MetaTest(deep, label, dep)

    def _features(self, batch: Batch, shared: SharedBatch | None) -> Features:
        with self._precision(batch):
            features: Features = self.nets.F(batch.image, shared)
        return features

    def _depth(self, features: Features, batch: Batch, shared: SharedBatch | None) -> Tensor:
        with self._precision(batch):
            depth = self.nets.D(features.shallow, shared)
        return depth_loss(depth.to(batch.depth.dtype), batch.depth)

    def _precision(self, batch: Batch) -> AbstractContextManager[None]:
        return torch.autocast(batch.image.device.type, torch.bfloat16) if self.bf16 else nullcontext()


def batch_at(episode: Episode, position: int) -> Batch:
    """Return the batch at a position of the episode.

    Raises:
        ValueError: the episode lacks the batch, because no task of this worker was planned to read it.
    """
    batch = episode.batches[position]
    if batch is None:
        raise ValueError(f"the episode holds no batch at position {position}")
    return batch
