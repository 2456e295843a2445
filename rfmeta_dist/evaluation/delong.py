"""Compare the AUC of two models on the same recordings by DeLong's test, as a cross-check.

DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845, in the form with midranks of Sun & Xu (2014),
IEEE Signal Processing Letters 21:1389-1393, which takes O(N log N).

The test treats all recordings as independent. Recordings of one person are not, so its intervals are often too
narrow. `evaluation/paired.py` decides; this module shows how far a test of the literature agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Delong:
    """The result of DeLong's test.

    Attributes:
        difference: AUC of the second model less that of the first, in [−1, 1].
        error: standard error of the difference.
        p: two-sided p, in [0, 1], that both models have the same AUC.
    """

    difference: float
    error: float
    p: float

    @property
    def z(self) -> float:
        """Return the difference in units of its standard error; 0 if there is no difference."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.error if self.error else float("inf") * self.difference


def placements(label: NDArray[np.int64], score: Array) -> tuple[Array, Array]:
    """Return what each recording contributes to the AUC. The mean of either array is the AUC.

    Args:
        label: N labels, 1 live and 0 attack; both are present.
        score: N scores; higher is more live.

    Returns:
        For each live recording the share of attacks with a lower score, and for each attack the share of live
        recordings with a higher score, in the order of the rows. An equal score counts half.
    """
    live, attack = score[label == 1], score[label == 0]
    both = midranks(score)
    above = (both[label == 1] - midranks(live)) / len(attack)
    below = 1 - (both[label == 0] - midranks(attack)) / len(live)
    return above, below


def midranks(score: Array) -> Array:
    """Return the rank of each score, from 1; equal scores get the mean of their ranks."""
    import numpy as np

    _, group, count = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Array = (last - (count - 1) / 2)[group]
    return ranks


def delong(label: NDArray[np.int64], first: Array, second: Array) -> Delong:
    """Test whether two models have the same AUC on the same recordings.

    Args:
        label: N labels, 1 live and 0 attack, at least two of each.
        first: N scores of one model; higher is more live.
        second: N scores of the other model, on any scale.
    """
    pairs = zip(placements(label, first), placements(label, second), strict=True)
    live, attack = (b - a for a, b in pairs)
    difference = float(live.mean())
    variance = float(live.var(ddof=1) / len(live) + attack.var(ddof=1) / len(attack))
    return Delong(difference, variance**0.5, _two_sided(difference, variance))


def _two_sided(difference: float, variance: float) -> float:
    """Return the two-sided p of a difference that is normally distributed about 0."""
    from math import erfc, sqrt

    if difference == 0:
        return 1.0
    return erfc(abs(difference) / sqrt(2 * variance)) if variance else 0.0
