"""Generate a large population of paired scores with a given disagreement and correlation within people.

Both models err on a share e of the videos of each type. Logits of a video under the two models are bivariate
normal; their correlation is chosen such that exactly one of the models errs on the wanted share of videos. A
part of the variance is common to all videos of one type by one person.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.retrain.pairs import FROZEN, Pairs

DOMAINS = ("C", "I", "M", "O")
KINDS = (LIVE, "cut", "mask", "print", "replay")
PEOPLE = 8_000  # of the population; with so many, a resample is close to new people


def population(disagreement: float, videos_each: int, correlation: float) -> Pairs:
    """Return the scores of a population, as logits; both thresholds are 0.

    Args:
        disagreement: share of videos that exactly one of the models gets wrong; each errs on this share too.
        videos_each: videos of each type by one person.
        correlation: share of a logit's variance that is common to the videos of one type by one person.
    """
    rng = generator("bench", "gate", str(disagreement), videos_each, str(correlation))
    people = PEOPLE // videos_each // len(DOMAINS) * len(DOMAINS)
    shape = (2, people, len(KINDS), videos_each)
    common = rng.standard_normal((*shape[:3], 1)) * correlation**0.5
    logit = common + rng.standard_normal(shape) * (1 - correlation) ** 0.5
    alike = _alike(disagreement)
    logit[1] = alike * logit[0] + (1 - alike**2) ** 0.5 * logit[1]
    logit = np.where(np.array(KINDS)[:, None] == LIVE, 1, -1) * (logit - NormalDist().inv_cdf(disagreement))
    person, kind, video = (index.ravel() for index in np.indices(shape[1:]))
    kinds = np.array(KINDS, object)[kind]
    n = len(person)
    columns: dict[str, Any] = {
        "key": np.array([f"{p}-{k}-{v}" for p, k, v in zip(person, kinds, video, strict=True)], object),
        "domain": np.array(DOMAINS, object)[person % len(DOMAINS)],
        "subject": np.array([f"p{p}" for p in range(people)], object)[person],
        "attack_type": kinds,
        "label": kinds == LIVE,
        "about": np.full(n, "", object),
        "batch": np.full(n, "", object),
        "part": np.full(n, FROZEN, object),
        "counted": np.ones(n, bool),
        "champion": logit[0].ravel(),
        "challenger": logit[1].ravel(),
    }
    return Pairs(**columns, thresholds=(0.0, 0.0), packages=("", ""))


def _alike(disagreement: float) -> float:
    """Return the correlation of two normal logits, both below their quantile e, that gives the disagreement.

    Both err on a share e of the videos. The disagreement shall be e too, so both err together on e/2.
    """
    from scipy.optimize import brentq
    from scipy.stats import multivariate_normal

    quantile = NormalDist().inv_cdf(disagreement)

    def excess(r: float) -> float:
        both = multivariate_normal.cdf([quantile, quantile], mean=[0, 0], cov=[[1, r], [r, 1]])
        return float(both) - disagreement / 2

    return float(brentq(excess, -0.5, 0.999))
