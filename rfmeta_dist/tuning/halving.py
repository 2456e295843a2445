"""Successive halving, synchronous: decide which candidates of a cohort go on after a rung.

A rung is decided when the whole cohort has come to it, never before. So the decision does not depend on which
candidate came first, on how fast machines are, or on other targets. (Asynchronous halving compares whoever has
arrived; then the time that another target's trainings take reaches this target's choice.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

BASE = 0  # number of the candidate that is never stopped, because the choice is compared with it


def survivors(scores: Mapping[int, float | None], keep: float, *, lowest: bool) -> set[int]:
    """Return the numbers of the candidates that go on: the best share of a cohort, and the base.

    Args:
        scores: score of each candidate that came to the rung, by its number; None if it failed there.
        keep: share that goes on, in (0, 1), of all that came to the rung; rounded up.
        lowest: True if the lowest score is the best. Of equal scores the lower number is the better one.
    """
    sign = 1 if lowest else -1
    ranked = sorted(
        (sign * score, number)
        for number, score in scores.items()
        if score is not None and not math.isnan(score)
    )
    going = {number for _, number in ranked[: math.ceil(keep * len(scores))]}
    return going | ({BASE} if scores.get(BASE) is not None else set())
