"""Compute confidence intervals by a bootstrap over subjects, because samples of one person are correlated.

A resample draws as many subjects as there are, with replacement, each with all its samples. So a resample is a
weight for each subject. All figures follow from the weighted number of samples of each attack type that each
threshold accepts, which is a cumulative sum over sorted scores, computed for many resamples at once.

The standard deviation over resamples is a figure's standard error (Efron & Tibshirani 1993, ch. 6; for
clusters, Davison & Hinkley 1997, sec. 3.8), from which evaluation/interval.py makes the interval. The
percentiles of the resamples would be too narrow an interval if errors or subjects are few (bench/intervals).

The network and the threshold are held fixed, so the interval shows how figures vary over other people, not over
other training runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation import interval
from rfmeta_dist.evaluation.rates import APCER_LIMITS, half_total
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Array = NDArray[np.float64]

LEVEL = interval.LEVEL
METHOD = "Korn and Graubard, with the standard error over resampled subjects"
ENOUGH = 35  # subjects from which on intervals hold what docs/explanation/honest-evaluation.md promises
FEWEST = 20  # subjects of the smallest sets in bench/intervals
LOWEST = 93  # percentage of intervals there that contain the true value, in the least favourable case
DIFFERENCE = "optimism_gap"  # the one figure that may be negative
_CELLS = 2_000_000  # resamples × thresholds that are processed at once: 16 MB per array


class Counted(NamedTuple):
    """What a figure was counted on.

    Attributes:
        subjects: number of subjects of the class or attack type that the figure needs. If it needs both
            classes, the smaller number.
        recordings: number of recordings of all classes and types that the figure needs.
    """

    subjects: int
    recordings: int


@dataclass(frozen=True)
class Resampled:
    """The figures of all resamples, and what an interval needs besides.

    Attributes:
        values: each figure's value in each of the R resamples that were used; NaN where it is undefined.
        skipped: number of resamples that were left out because they lack live or attack samples.
        point: each figure's value on the scores themselves.
        counted: what each figure was counted on.
    """

    values: Mapping[str, Array]
    skipped: int
    point: Mapping[str, float]
    counted: Mapping[str, Counted]

    def interval(self, name: str) -> tuple[float, float]:
        """Return the ends of a figure's 95 % interval.

        They contain the figure's value and lie in the figure's range. The interval always has a width, even if
        no error was observed (see `interval.of_rate`). If only one subject has a class or attack type that the
        figure needs, the interval is the figure's whole range.
        """
        value, (subjects, recordings) = self.point[name], self.counted[name]
        error = interval.standard_error(self.values[name], subjects)
        if name == DIFFERENCE:
            low, high = interval.of_difference(value, error, subjects)
        else:
            low, high = interval.of_rate(value, error, subjects, recordings)
        return float(low), float(high)

    @property
    def trust(self) -> str:
        """Return a sentence on how far to trust the intervals if there are few subjects, else ""."""
        people = self.counted["HTER"].subjects
        if people >= ENOUGH:
            return ""
        if people < FEWEST:
            return (
                f"Take the intervals as a rough indication: they come from {people} people, and how often such "
                f"intervals contain the true figure was measured for {FEWEST} people and more."
            )
        return (
            f"The intervals come from {people} people. In simulations with {FEWEST} people, at least "
            f"{LOWEST} % of the 95 % intervals of a figure contained its true value; of BPCER at APCER 1 %, "
            "fewer."
        )


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

    def accepted_by(weight: Array) -> dict[str, Array]:
        return {
            kind: _accepted(weight, subject[rows], scores.score[rows], thresholds)
            for kind, rows in members.items()
        }

    def figures(accepted: Mapping[str, Array]) -> dict[str, Array]:
        return of_counts(accepted, operating) | _at(accepted, columns)

    whole = figures(accepted_by(np.ones((1, len(names)))))
    for start in range(0, resamples, size):
        weight = _draw(rng, min(size, resamples - start), len(names))
        accepted = accepted_by(weight)
        attack = np.sum([count[:, 0] for kind, count in accepted.items() if kind != LIVE], axis=0)
        both = (accepted[LIVE][:, 0] > 0) & (attack > 0)
        skipped += int((~both).sum())
        parts.append(figures({kind: count[both] for kind, count in accepted.items()}))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if skipped == resamples:
        raise DataError(
            f"none of {resamples} bootstrap resamples has both live and attack samples, so there is no "
            "confidence interval",
            "evaluate on a split with more subjects: set evaluation.target_split=all, or ingest more people",
        )
    point = {name: float(value[0]) for name, value in whole.items()}
    return Resampled(values, skipped, point, _counted(scores, values, columns))


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


def _counted(scores: Scores, figures: Iterable[str], points: Iterable[str]) -> dict[str, Counted]:
    """Return what each figure was counted on. Those at another threshold begin with the name of its point."""
    import numpy as np

    subject = coded(scores.subject)[1]
    names, video = coded(scores.video)
    recording = coded(scores.domain)[1] * len(names) + video

    def of(rows: NDArray[np.bool_]) -> Counted:
        return Counted(len(np.unique(subject[rows])), len(np.unique(recording[rows])))

    live, attack = of(scores.label == 1), of(scores.label == 0)
    both = Counted(min(live.subjects, attack.subjects), live.recordings + attack.recordings)
    known = {"BPCER": live, "FAR": attack, "APCER_worst": attack}
    types = {f"APCER {kind}": of(scores.attack_type == kind) for kind in coded(scores.attack_type)[0]}
    alike = known | types
    at_points = {f"{point} {name}": counted for point in points for name, counted in alike.items()}
    return {name: (alike | at_points).get(name, both) for name in figures}


def of_counts(accepted: Mapping[str, Array], operating: int) -> dict[str, Array]:
    """Return every figure of each of B resamples, from weighted numbers of accepted samples.

    Args:
        accepted: for each attack type and `live`, how many of its samples each of T thresholds accepts: B×T.
            The first threshold accepts all and the last one none. Counts are whole numbers, and the product of
            a resample's live and attack samples must be exact in their type.
        operating: which of the T thresholds the model decides at.
    """
    import numpy as np

    live, attacks = accepted[LIVE], {kind: count for kind, count in accepted.items() if kind != LIVE}
    attack = reduce(np.add, attacks.values())  # np.sum would copy all of them into one array first
    live_all, attack_all = live[:, :1], attack[:, :1]
    with np.errstate(invalid="ignore"):  # 0/0 is NaN for an attack type that the resample lacks
        apcer = {kind: count / count[:, :1] for kind, count in attacks.items()}
    apcer_worst = reduce(np.fmax, apcer.values())
    frr = 1 - live / live_all

    area = (attack[:, :-1] - attack[:, 1:]) * (live[:, :-1] + live[:, 1:]) / 2
    # These are exact whole numbers, so the comparison that finds the equal error is exact.
    false_accept, false_reject = attack * live_all, (live_all - live) * attack_all
    gap = np.abs(false_accept - false_reject)
    at_equal = gap == gap.min(axis=1, keepdims=True)
    total = np.where(at_equal, false_accept + false_reject, np.inf).min(axis=1)
    pairs = (live_all * attack_all)[:, 0]

    def here(rates: Array) -> Array:
        return rates[:, operating].copy()  # a view would keep all B×T rates until the last resample

    far, bpcer, worst = here(attack) / attack_all[:, 0], here(frr), here(apcer_worst)
    hter, oracle = half_total(far, bpcer), total / (2 * pairs)
    return {
        "HTER": hter,
        "AUC": area.sum(axis=1) / pairs,
        "oracle_EER": oracle,
        DIFFERENCE: hter - oracle,
        "FAR": far,
        "BPCER": bpcer,
        "ACER": (worst + bpcer) / 2,
        "APCER_worst": worst,
        **{f"APCER {kind}": here(rate) for kind, rate in apcer.items()},
        **{
            f"BPCER_at_APCER {limit:.2f}": np.where(apcer_worst <= limit, frr, np.inf).min(axis=1)
            for limit in APCER_LIMITS
        },
    }


def _at(accepted: Mapping[str, Array], columns: Mapping[str, int]) -> dict[str, Array]:
    """Return the error rates of each resample at some of the thresholds, from the B×T accepted counts.

    Args:
        accepted: as in `of_counts`.
        columns: positions of thresholds by name.
    """
    import numpy as np

    live, attacks = accepted[LIVE], {kind: count for kind, count in accepted.items() if kind != LIVE}
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
