"""Compute the p-values of the gate, and correct them where many tests are made together.

The videos of one person are alike, so people are the units. The exact test flips the signs of whole people's
differences. The score test multiplies its variance by the design effect: the variance of a difference, divided
by its variance for as many videos of different people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]
    Bits = NDArray[np.bool_]
    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """The errors of two models on n videos of some people.

    Attributes:
        champion, challenger: number of their errors.
        only_champion, only_challenger: number of videos that only this model gets wrong.
        sums: for each person, the champion's errors less the challenger's.
        videos: for each person, the number of videos.
    """

    champion: int
    challenger: int
    only_champion: int
    only_challenger: int
    sums: Codes
    videos: Codes

    @classmethod
    def of(cls, champion: Bits, challenger: Bits, subject: Codes) -> Compared:
        """Count the errors.

        Args:
            champion, challenger: N, True where this model is wrong.
            subject: N codes of people, not negative.
        """
        import numpy as np

        videos = np.bincount(subject)
        there = videos > 0
        difference = champion.astype(np.int64) - challenger
        sums = np.bincount(subject, weights=difference).astype(np.int64)
        return cls(
            int(champion.sum()),
            int(challenger.sum()),
            int((difference > 0).sum()),
            int((difference < 0).sum()),
            sums[there],
            videos[there],
        )

    @property
    def n(self) -> int:
        """Return the number of videos."""
        return int(self.videos.sum())

    @property
    def points(self) -> float:
        """Return by how many percentage points the challenger errs more often; 0 without videos."""
        return 100 * (self.challenger - self.champion) / max(1, self.n)

    @property
    def disagreement(self) -> float:
        """Return the share of videos that exactly one of the two gets wrong; 0 without videos."""
        return (self.only_champion + self.only_challenger) / max(1, self.n)

    @property
    def squares(self) -> int:
        """Return the number of ordered pairs of two videos of one person."""
        return int((self.videos**2).sum()) - self.n

    @property
    def variance(self) -> float:
        """Return the variance of a video's difference; 0 if there are fewer than two videos."""
        if self.n < 2:
            return 0.0
        mean = int(self.sums.sum()) / self.n
        return (self.only_champion + self.only_challenger - self.n * mean**2) / (self.n - 1)

    @property
    def spread(self) -> float:
        """Return the variance of the sum of all differences, from the people's sums; 0 for one person."""
        people, n, total = len(self.sums), self.n, int(self.sums.sum())
        if people < 2:
            return 0.0
        squared, mixed, sizes = (
            int((one * other).sum())
            for one, other in ((self.sums, self.sums), (self.sums, self.videos), (self.videos, self.videos))
        )
        # This is n² · Σ (sum − videos · mean)², in whole numbers, so that the order of people changes no bit.
        deviation = n * n * squared - 2 * total * n * mixed + total * total * sizes
        return deviation / (n * n) * people / (people - 1)


def sign_flips(sums: Codes) -> float:
    """Return the exact p-value: the probability of Σ ±|d| ≥ Σ d over people if all signs are equally probable.

    This is Fisher's randomisation test. If every person has one video, it is the exact test of McNemar (1947).

    Args:
        sums: for each person, the difference d, a whole number; positive ones speak for the alternative.
    """
    import numpy as np

    sizes = np.bincount(np.abs(sums))
    # Σ ±|d| = 2X − Σ |d|, where X is the sum of the sizes that get a plus.
    probability = np.ones(1)
    for size in np.flatnonzero(sizes[1:]) + 1:
        spaced = np.zeros(size * sizes[size] + 1)
        spaced[::size] = _coins(int(sizes[size]))
        probability = spaced if len(probability) == 1 else np.convolve(probability, spaced)
    return min(1.0, float(probability[int(sums[sums > 0].sum()) :].sum()))


@lru_cache(maxsize=4096)
def _coins(m: int) -> Array:
    """Return the probabilities of 0 … m heads of m fair coins."""
    import numpy as np
    from scipy.special import gammaln

    k = np.arange(m + 1)
    chance: Array = np.exp(gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1) - m * math.log(2))
    return chance


def least(sums: Codes) -> float:
    """Return the smallest p that `sign_flips` can give for other signs: 2⁻ᵏ for k people with a difference."""
    return 0.5 ** int((sums != 0).sum())


def no_loss(compared: Compared, margin: float, effect: float) -> float:
    """Return p for the hypothesis that the challenger's error rate is higher by `margin` or more.

    This is the paired score test of Tango (1998, Statistics in Medicine 17:891), with the maximum of the
    likelihood under the hypothesis, one-sided. It holds for few disagreements too, where a test of Wald's form
    rejects far too often. p is 1 if there are fewer than two people.

    Args:
        compared: the errors.
        margin: a fraction in (0, 1).
        effect: the design effect, at least 1, by which the variance is multiplied.
    """
    if len(compared.sums) < 2:
        return 1.0
    n, more, fewer = compared.n, compared.only_challenger, compared.only_champion
    variance = n * tango_variance(more / n, fewer / n, margin) * effect
    z = (more - fewer - n * margin) / math.sqrt(variance)
    return math.erfc(-z / math.sqrt(2)) / 2


def tango_variance(more: float, fewer: float, margin: float) -> float:
    """Return the variance of a pair's difference if the rates differ by exactly `margin`, by Tango's estimate.

    Args:
        more, fewer: shares of videos that only the challenger, or only the champion, gets wrong.
        margin: a fraction in (0, 1).
    """
    half = (more + fewer - (2 - more + fewer) * margin) / 4
    # The estimate of the share that only the champion gets wrong is the positive root of
    # 2q² − 4·half·q − fewer·margin·(1 − margin).
    q = half + math.sqrt(half**2 + fewer * margin * (1 - margin) / 2)
    return 2 * q + margin * (1 - margin)


def design_effects(groups: Sequence[Compared]) -> list[float]:
    """Return the design effect of each group, at least 1 and at most its mean number of videos of a person.

    A group's own estimate varies much if it has few disagreements. So the correlation ρ within people is also
    estimated on all groups together, and the larger effect is taken: the own one, or 1 + ρ·(c − 1) for c videos
    of a person. Without any disagreement ρ is unknown and taken as 1.
    """
    more = sum(group.squares * group.variance for group in groups)
    rest = sum(group.spread - group.n * group.variance for group in groups)
    rho = min(1.0, max(0.0, rest / more)) if more else 1.0
    return [_effect(group, rho) for group in groups]


def _effect(group: Compared, rho: float) -> float:
    if not group.n:
        return 1.0
    largest = group.squares / group.n
    variance = group.n * group.variance
    own = group.spread / variance if variance > 0 else 1.0
    return 1.0 + min(largest, max(0.0, own - 1.0, rho * largest))


def corrected(ps: Sequence[float], leasts: Sequence[float], level: float) -> list[float]:
    """Return p after Holm's correction (1979) over those tests that could be significant (Tarone 1990).

    A test whose smallest possible p is above its level cannot be a false alarm, so it does not count. Tarone
    takes the smallest K for which at most K tests can reach level/K. The probability of any false alarm is at
    most `level`. A test that does not count has 1.

    Args:
        ps: the p-values.
        leasts: the smallest value that each of them could have, given how many people there are differences of.
        level: of all tests together, a fraction.
    """
    allowed = next((k for k in range(1, len(ps) + 1) if sum(p <= level / k for p in leasts) <= k), 0)
    counted = sorted((p, i) for i, p in enumerate(ps) if allowed and leasts[i] <= level / allowed)
    result, highest = [1.0] * len(ps), 0.0
    for rank, (p, i) in enumerate(counted):
        highest = max(highest, min(1.0, (len(counted) - rank) * p))
        result[i] = highest
    return result
