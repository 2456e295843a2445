"""Define supervision by depth alone (the component "depth only" of Liu, Jourabloo & Liu, CVPR 2018)."""

from __future__ import annotations

from torch import Tensor

from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkerShare
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.methods.base.statistics import BatchNormStats
from rfmeta_dist.models.networks import Networks


class AuxiliaryDepth(Objective):
    """A rule whose task i is the depth loss of domain i. M is never run and keeps its initial weights.

    J = Σ_i L_dep(T_i; θF, θD) over all N domains. The score is the mean of the predicted depth, which is that
    of a face for live, and zero everywhere for an attack.
    """

    PARTS = ("dep",)
    SCORE = "mean(D(F(x))), at most 1"
    SCORED = ("F", "D")

    @staticmethod
    def score(nets: Networks, image: Tensor) -> Tensor:
        """Return the mean predicted depth of B×6×S×S: B numbers in [0, 1], float64."""
        depth: Tensor = nets.D(nets.F(image).shallow)
        return depth.double().mean(dim=(1, 2, 3)).clamp(max=1)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the depth losses of this worker's domains."""
        dep = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            dep = dep + self.depth(episode, i, seen)
        return dep, [dep]
