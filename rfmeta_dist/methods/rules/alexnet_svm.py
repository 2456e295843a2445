"""Define AlexNet for live and attack, and a support vector machine on its features (Yang, Lei & Li, 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.methods.base.turns import Optimiser, Turn
from rfmeta_dist.models.alexnet import AlexNet, features
from rfmeta_dist.models.networks import Networks

MOMENTUM = 0.9
WEIGHT_DECAY = 0.01
KEPT = 0.5  # probability with which dropout keeps an output


class AlexNetSVM(Objective):
    """A rule whose task i is the classification loss of domain i with AlexNet. F, M and D keep their weights.

    J = Σ_i L_cls(T_i; X) over all N domains

    Plain SGD takes the steps. After training, a linear support vector machine is fitted to the features of the
    last pool, on the sources. Its margin is the score; the network's own logit is not used any more.
    """

    PARTS = ("cls",)
    SCORE = "1/2 + m / (2 (1 + |m|)), m the margin of a linear support vector machine on AlexNet's last pool"
    SCORED = ("X.network", "X.machine")
    MACHINE = "machine"

    @classmethod
    def scored_modules(cls, model: Model) -> dict[str, nn.Module]:
        """Return the network, and the machine as a linear layer."""
        return {"network": AlexNet(model.width), "machine": nn.Linear(features(model.width), 1)}

    @staticmethod
    def machine_input(nets: Networks, image: Tensor) -> Tensor:
        """Return the features of the last pool of B×6×S×S."""
        return _network(nets).pooled(image[:, :3])

    @staticmethod
    def score(nets: Networks, image: Tensor) -> Tensor:
        """Return the scores of the margins of B×6×S×S: B numbers in [0, 1], float64, not saturated."""
        margin: Tensor = nets.extra["machine"](AlexNetSVM.machine_input(nets, image)).squeeze(1).double()
        return 0.5 + 0.5 * margin / (1 + margin.abs())

    def turns(self) -> tuple[Turn, ...]:
        """Return one step of SGD on the network."""
        step = Optimiser(
            self.setting.rate,
            "sgd",
            ("X.network.",),
            momentum=MOMENTUM,
            weight_decay=WEIGHT_DECAY,
        )
        return (Turn(self.share, self.PARTS, step),)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """Compute the classification losses of this worker's domains."""
        cls = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            batch = batch_at(episode, i)
            with self._precision(batch):
                logit = _network(self.nets)(batch.image[:, :3], self._kept(episode, i, batch.label))
            cls = cls + liveness_loss(logit.to(batch.label.dtype), batch.label)
        return cls, [cls]

    def _kept(self, episode: Episode, i: int, label: Tensor) -> list[Tensor]:
        """Return the dropout of the two hidden layers for the domain at position i: 0, or 1 / KEPT."""
        draws = self.random(episode, "dropout", i)
        shape = (2, len(label), _network(self.nets).hidden)
        kept = torch.rand(shape, generator=draws, dtype=torch.float32) < KEPT
        return list(kept.to(label) / KEPT)


def _network(nets: Networks) -> AlexNet:
    network = nets.extra["network"]
    assert isinstance(network, AlexNet)
    return network
