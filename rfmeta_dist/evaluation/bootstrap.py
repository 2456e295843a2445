"""Compute confidence intervals by a bootstrap over subjects, because samples of one person are correlated.

A resample draws as many subjects as there are, with replacement, each with all its samples. So a resample is a
weight for each subject. All figures follow from the weighted number of samples of each attack type that each
threshold accepts, which is a cumulative sum over sorted scores, computed for many resamples at once.

The interval is the 2.5th to 97.5th percentile (Efron & Tibshirani 1993, ch. 13; for clusters, Davison & Hinkley
1997, sec. 3.8). The network and the threshold are held fixed, so the interval shows how figures vary over other
people, not over other training runs. With few subjects it is somewhat too narrow. If no error was observed, its
width is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.rates import APCER_LIMITS, half_total
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Array = NDArray[np.float64]

LEVEL = 0.95
_CELLS = 2_000_000  # resamples × thresholds that are processed at once: 16 MB per array


@dataclass(frozen=True)
class Resampled:
    """The figures of all resamples.

    Attributes:
        values: each figure's value in each of the R resamples that were used; NaN where it is undefined.
        skipped: number of resamples that were left out because they lack live or attack samples.
    """

    values: Mapping[str, Array]
    skipped: int

    def interval(self, name: str) -> tuple[float, float]:
        """Return the ends of a figure's 95 % percentile interval."""
        import numpy as np

        tail = 50 * (1 - LEVEL)
        low, high = np.nanpercentile(self.values[name], (tail, 100 - tail))
        return float(low), float(high)


def resample(
    scores: Scores,
    threshold: float,
    seed: int,
    resamples: int = 1000,
    also: Mapping[str, float] | None = None,
) -> Resampled:
    """Compute the figures of `figures.points` on resamples of the subjects.

    Args:
        scores: N frames or videos, both classes present.
        threshold: a sample is accepted as live if its score ≥ threshold.
        seed: any integer; equal seeds give equal intervals.
        resamples: number of resamples to draw.
        also: further thresholds by name, such as `bpcer@apcer5`. On the same resamples, the error rates at each
            of them are computed too, and are called `bpcer@apcer5 BPCER` and so on.

    Raises:
        DataError: one class is missing, there are fewer than two subjects, or no resample has both classes.
    """
    import numpy as np

    scores.require_both_classes("the set to resample")
    names, subject = coded(scores.subject)
    if len(names) < 2:
        raise DataError(
            f"a confidence interval needs at least two people, but these scores are of {len(names)}",
            "judge on a domain with more people; if their names are missing, ingest it again with them",
        )
    thresholds = np.append(np.unique(scores.score), np.inf)
    operating = int(np.searchsorted(thresholds, threshold))
    columns = {name: int(np.searchsorted(thresholds, value)) for name, value in (also or {}).items()}
    members = {kind: scores.attack_type == kind for kind in coded(scores.attack_type)[0]}

    rng = generator(seed, "bootstrap")
    parts, skipped = [], 0
    size = max(1, _CELLS // len(thresholds))
    for start in range(0, resamples, size):
        weight = _draw(rng, min(size, resamples - start), len(names))
        accepted = {
            kind: _accepted(weight, subject[rows], scores.score[rows], thresholds)
            for kind, rows in members.items()
        }
        live = accepted.pop(LIVE)
        both = (live[:, 0] > 0) & (np.sum(list(accepted.values()), axis=0)[:, 0] > 0)
        skipped += int((~both).sum())
        attacks = {kind: count[both] for kind, count in accepted.items()}
        parts.append(_figures(live[both], attacks, operating) | _at(live[both], attacks, columns))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if skipped == resamples:
        raise DataError(
            f"none of {resamples} bootstrap resamples has both live and attack samples, so there is no "
            "confidence interval",
            "evaluate on a split with more subjects: set evaluation.target_split=all, or ingest more people",
        )
    return Resampled(values, skipped)


def _draw(rng: np.random.Generator, rows: int, subjects: int) -> Array:
    """Return how often each of S subjects is drawn in each of B resamples: B×S, where each row sums to S."""
    import numpy as np

    drawn = rng.integers(subjects, size=(rows, subjects)) + subjects * np.arange(rows)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=rows * subjects)
    return counts.reshape(rows, subjects).astype(np.float64)


def _accepted(weight: Array, subject: NDArray[np.int64], score: Array, thresholds: Array) -> Array:
    """Return the weighted number of samples at or above each of T thresholds: B×T, from B×S weights."""
    import numpy as np

    order = np.argsort(score)
    below = np.zeros((len(weight), len(score) + 1))
    np.cumsum(weight[:, subject[order]], axis=1, out=below[:, 1:])
    kept: Array = below[:, -1:] - below[:, np.searchsorted(score[order], thresholds)]
    return kept


def _figures(live: Array, attacks: Mapping[str, Array], operating: int) -> dict[str, Array]:
    """Return every figure of each resample, from the B×T accepted counts of live samples and attack types."""
    import numpy as np

    attack = np.sum(list(attacks.values()), axis=0)
    live_all, attack_all = live[:, :1], attack[:, :1]
    with np.errstate(invalid="ignore"):  # 0/0 is NaN for an attack type that the resample lacks
        apcer = {kind: count / count[:, :1] for kind, count in attacks.items()}
    apcer_worst = np.fmax.reduce(list(apcer.values()))
    frr = 1 - live / live_all

    area = (attack[:, :-1] - attack[:, 1:]) * (live[:, :-1] + live[:, 1:]) / 2
    # These are whole numbers below 2^53, so the comparison that finds the equal error is exact.
    false_accept, false_reject = attack * live_all, (live_all - live) * attack_all
    gap = np.abs(false_accept - false_reject)
    at_equal = gap == gap.min(axis=1, keepdims=True)
    total = np.where(at_equal, false_accept + false_reject, np.inf).min(axis=1)
    pairs = (live_all * attack_all)[:, 0]

    far = (attack / attack_all)[:, operating]
    bpcer = frr[:, operating]
    hter, oracle = half_total(far, bpcer), total / (2 * pairs)
    return {
        "HTER": hter,
        "AUC": area.sum(axis=1) / pairs,
        "oracle_EER": oracle,
        "optimism_gap": hter - oracle,
        "FAR": far,
        "BPCER": bpcer,
        "ACER": (apcer_worst[:, operating] + bpcer) / 2,
        "APCER_worst": apcer_worst[:, operating],
        **{f"APCER {kind}": rate[:, operating] for kind, rate in apcer.items()},
        **{
            f"BPCER_at_APCER {limit:.2f}": np.where(apcer_worst <= limit, frr, np.inf).min(axis=1)
            for limit in APCER_LIMITS
        },
    }


def _at(live: Array, attacks: Mapping[str, Array], columns: Mapping[str, int]) -> dict[str, Array]:
    """Return the error rates of each resample at some of the thresholds, from the B×T accepted counts.

    Args:
        live: accepted live samples.
        attacks: accepted attacks, by attack type.
        columns: positions of thresholds by name.
    """
    import numpy as np

    found: dict[str, Array] = {}
    for name, at in columns.items():
        with np.errstate(invalid="ignore"):  # 0/0 is NaN for an attack type that the resample lacks
            apcer = {kind: count[:, at] / count[:, 0] for kind, count in attacks.items()}
        pooled = np.sum([count[:, [0, at]] for count in attacks.values()], axis=0)
        far, bpcer = pooled[:, 1] / pooled[:, 0], 1 - live[:, at] / live[:, 0]
        rates = {"HTER": half_total(far, bpcer), "FAR": far, "BPCER": bpcer}
        rates["APCER_worst"] = np.fmax.reduce(list(apcer.values()))
        rates |= {f"APCER {kind}": rate for kind, rate in apcer.items()}
        found |= {f"{name} {figure}": rate for figure, rate in rates.items()}
    return found
