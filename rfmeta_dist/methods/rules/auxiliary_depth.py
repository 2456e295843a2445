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

    J = Σ_i L_dep(T_i; θF, θD) over all N domains. The depth of an attack is zero everywhere, and that of a live
    face is not. So the mean d of the predicted depth tells them apart. It is at least 0, and d / (1 + d) brings
    it to [0, 1) without changing the order of faces.
    """

    PARTS = ("dep",)
    SCORE = "d / (1 + d), where d is the mean of D(F(x))"
    SCORED = ("F", "D")

    @staticmethod
    def score(nets: Networks, image: Tensor) -> Tensor:
        """Return d / (1 + d) for the mean predicted depth d of B×6×S×S: B numbers in [0, 1], float64."""
        depth: Tensor = nets.D(nets.F(image).shallow)
        d = depth.double().mean(dim=(1, 2, 3))
        return d / (1 + d)

    def share(self, episode: Episode, part: WorkerShare, seen: BatchNormStats) -> tuple[Tensor, list[Tensor]]:
        """Compute the depth losses of this worker's domains."""
        dep = next(self.parameters()).new_zeros(())
        for i in part.tasks:
            dep = dep + self.depth(episode, i, seen)
        return dep, [dep]
