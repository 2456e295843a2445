"""Decide about several differences together, with Holm's correction for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfmeta_dist.evaluation.paired import LEVEL, Estimate


@dataclass(frozen=True)
class Verdict:
    """What is decided about one difference among several.

    Attributes:
        p: p after Holm's correction over all differences that were decided together.
        level: level at which Holm's procedure tests this difference; the interval is for 1 − level.
        low, high: ends of the interval, which excludes 0 exactly if the difference is significant.
        significant: whether the corrected p is below 0.05.
    """

    p: float
    level: float
    low: float
    high: float
    significant: bool


def decide(estimates: Sequence[Estimate]) -> list[Verdict]:
    """Decide about several differences together, so that at most 5 % of such families hold a false discovery.

    Holm's procedure tests the smallest of m p-values at the level 0.05/m, the next at 0.05/(m−1), and so on,
    until one is not significant. The others are then not significant either. Each interval is at the level of
    its step (that of the last step for all after it), so interval and p never contradict each other.
    """
    corrected = holm([estimate.p for estimate in estimates])
    order = sorted(range(len(estimates)), key=lambda index: estimates[index].p)
    verdicts: dict[int, Verdict] = {}
    level, ended = LEVEL, False
    for rank, index in enumerate(order):
        if not ended:
            level = LEVEL / (len(estimates) - rank)
        low, high = estimates[index].interval(level)
        significant = not ended and estimates[index].p < level
        ended = not significant
        verdicts[index] = Verdict(corrected[index], level, low, high, significant)
    return [verdicts[index] for index in range(len(estimates))]


def holm(ps: Sequence[float]) -> list[float]:
    """Return p after Holm's step-down correction (1979), which controls the error rate of the whole family."""
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = highest
    return corrected
