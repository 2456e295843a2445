"""Define what rules share that compare the pooled features of all domains of an episode."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.models.networks import META_LEARNER, scaled

NEAREST = 1e-12  # squared distance below which two samples count as equal


class Embedded(NamedTuple):
    """The forward pass of a domain: `deep` features, M's `pooled` ones (B×C), and the classification loss."""

    deep: Tensor
    pooled: Tensor
    cls: Tensor


class Embedding(Objective):
    """The base class of rules with a task for each domain and a loss on the pooled features of all of them.

    The pooled features are what M's linear layer classifies: B×C, at least 0, C = 512 at width 1.
    """

    GATHERS = True

    def embed(self, episode: Episode, i: int, seen: BatchNormStats) -> Embedded:
        """Compute features and classification loss of the domain at position i, and note its statistics."""
        batch = batch_at(episode, i)
        deep = self.deep(batch)
        pooled = self.pool(deep)
        cls = liveness_loss(self.nets.M.fc2_1(pooled).squeeze(1), batch.label)
        seen.note(i, "F", "M")
        return Embedded(deep, pooled, cls)

    def deep(self, batch: Batch) -> Tensor:
        """Return F's deep features of a batch, in the precision of M."""
        return self._features(batch, None).deep.to(batch.label.dtype)

    def pool(self, deep: Tensor) -> Tensor:
        """Return the pooled features B×C of deep features."""
        return self.nets.M.maps(deep).mean(dim=(2, 3))

    def of_all(self, episode: Episode, part: WorkerShare, pooled: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return pooled features and labels of all domains; see `Objective.gathered` for what must be heeded.

        Args:
            episode: the episode.
            part: this worker's part.
            pooled: the features of each of this worker's domains, B×C.

        Returns:
            N×B×C features with gradients from all uses, and N×B labels.
        """
        # Labels travel beside the features, so that workers communicate once.
        labels = [batch_at(episode, i).label for i in part.tasks]
        own = [torch.cat([x, label[:, None]], dim=1) for x, label in zip(pooled, labels, strict=True)]
        both = self.gathered(episode, part, own, (part.total, self.nets.M.fc2_1.in_features + 1))
        return both[..., :-1], both[..., -1].detach()


def channels(model: Model) -> int:
    """Return C, the number of pooled features of networks with this configuration."""
    return scaled(META_LEARNER[-1], model.width)


def perceptron(inputs: int, outputs: int) -> nn.Module:
    """Return two linear layers with ReLU between them: …×inputs → …×inputs → …×outputs."""
    layers = {"fc1": nn.Linear(inputs, inputs), "relu": nn.ReLU(), "fc2": nn.Linear(inputs, outputs)}
    return nn.Sequential(OrderedDict(layers))


def distances(x: Tensor) -> Tensor:
    """Return the n×n distances between the rows of x, n×C, at least 1e-6: a root has no slope at 0."""
    return squared_distances(x).clamp_min(NEAREST).sqrt()


def squared_distances(x: Tensor) -> Tensor:
    """Return the n×n squared Euclidean distances between the rows of x, n×C."""
    products = x @ x.T
    norms = products.diagonal()
    return (norms[:, None] + norms - 2 * products).clamp_min(0)
