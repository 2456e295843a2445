"""Compute how many videos a test of the gate needs, from the observed disagreement and design effect."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from rfmeta_dist.retrain.significance import tango_variance

if TYPE_CHECKING:
    from rfmeta_dist.retrain.significance import Compared

POWER = 0.8  # probability that an equal, or better, challenger passes all tests together


def share(tests: int) -> float:
    """Return the power that each of several independent tests needs so that all pass with probability POWER."""
    return math.pow(POWER, 1 / max(1, tests))


def for_gain(disagreement: float, gain: float, effect: float, level: float, power: float) -> int:
    """Return the number of videos on which a gain is significant with probability `power`.

    The formula is that of Connor (1987, Biometrics 43:207) for McNemar's test, with 1/gain more for the exact
    test, times the design effect.

    Args:
        disagreement: share of videos that exactly one of the two gets wrong.
        gain: difference of the error rates, a fraction > 0.
        effect: design effect.
        level: of the one-sided test.
        power: in (0, 1).
    """
    discordant = max(disagreement, gain)
    quantile = NormalDist().inv_cdf
    root = -quantile(level) * math.sqrt(discordant) + quantile(power) * math.sqrt(discordant - gain**2)
    return math.ceil(effect * ((root / gain) ** 2 + 1 / gain))


def for_no_loss(
    compared: Compared, more: float, effect: float, margin: float, level: float, power: float
) -> int | None:
    """Return the number of videos on which the score test rules out a loss with probability `power`.

    Args:
        compared: what was observed; its disagreement is used.
        more: by how much the challenger's error rate is truly higher, a fraction.
        effect: design effect.
        margin: a fraction in (0, 1).
        level: of the one-sided test.
        power: in (0, 1).

    Returns:
        None if `more` is not below the margin: then no number is enough.
    """
    if more >= margin:
        return None
    discordant = max(compared.disagreement, abs(more))
    both = tango_variance((discordant + more) / 2, (discordant - more) / 2, margin)
    quantile = NormalDist().inv_cdf
    root = -quantile(level) * math.sqrt(both) + quantile(power) * math.sqrt(discordant - more**2)
    return math.ceil(effect * (root / (margin - more)) ** 2)
