"""Compute intervals and tests of the study, paired wherever two rules share a target and a seed.

The figures of a run are resampled over the target's subjects (evaluation/bootstrap.py). In each resample, all
runs on one target use the same subjects, so the difference of two runs is paired by person. In addition, seeds
are drawn with replacement, the same for both rules. Targets are fixed and have equal weights.

The study fixed these statistics before its trainings, so they stay. `rfmeta compare` has one test in place of
an interval and a p-value that must agree (evaluation/paired.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.seeds import seed as seed_of
from rfmeta_dist.evaluation import bootstrap, figures
from rfmeta_dist.evaluation.paired import LEVEL
from rfmeta_dist.evaluation.scores import Scores

A = TypeVar("A")  # what is compared: a rule, a set of sources, …
Array = NDArray[np.float64]
FIGURES = ("AUC", "HTER", "oracle_EER", "optimism_gap")
RESAMPLES = 1000


@dataclass(frozen=True)
class Run(Generic[A]):
    """One judged training.

    Attributes:
        arm: what it is a run of; two arms can be compared.
        target: the domain judged on.
        seed: seed of the training.
        value: each of FIGURES on the target, per video.
        draws: the same in each resample of the target's subjects.
    """

    arm: A
    target: str
    seed: int
    value: Mapping[str, float]
    draws: Mapping[str, Array]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison(Generic[A]):
    """An arm against another one, over the targets and seeds that both have.

    Attributes:
        arm, baseline: the two arms.
        figure: one of FIGURES.
        difference: mean of the arm less the baseline.
        pairs: number of pairs of runs.
        above: in how many of them the arm's figure is higher.
        p: p of the Wilcoxon signed-rank test, two-sided; 1 where nothing differs.
        holm: p after Holm's correction, within the family given to `decisions.holm`.
    """

    arm: A
    baseline: A
    figure: str
    difference: Estimate
    pairs: int
    above: int
    p: float
    holm: float = float("nan")

    @property
    def significant(self) -> bool:
        """Return True if the corrected p is below 0.05, and 0 is outside the interval."""
        return self.holm < LEVEL and not self.difference.low <= 0 <= self.difference.high


def draw(
    scores: Scores, threshold: float, resamples: int = RESAMPLES
) -> tuple[dict[str, float], dict[str, Array]]:
    """Return a run's figures per video, and the same in resamples that are equal for all runs on this target.

    Args:
        scores: frame scores of one target.
        threshold: threshold of the run, for videos.
        resamples: number of resamples.

    Raises:
        DataError: a subject lacks a class, so that resamples of two runs cannot be paired.
    """
    videos = scores.per_video()
    (target,) = set(videos.domain.tolist())
    points = figures.points(videos, threshold)
    drawn = bootstrap.resample(videos, threshold, seed_of("study", target), resamples)
    if drawn.skipped:
        raise DataError(
            f"{drawn.skipped} bootstrap resamples of domain {target} lack a class, so they cannot be paired",
            "use a domain in which every subject has live and attack recordings",
        )
    return {f: points[f] for f in FIGURES}, {f: drawn.values[f] for f in FIGURES}


def mean(runs: Sequence[Run[A]], figure: str) -> Estimate:
    """Return the mean over seeds, then over targets, of the runs of one arm."""
    return _estimate(runs, lambda run: (run.value[figure], run.draws[figure]))


def compare(runs: Sequence[Run[A]], others: Sequence[Run[A]], figure: str) -> Comparison[A] | None:
    """Compare runs of an arm with those of another one; None if they share no target and seed."""
    partner = {(run.target, run.seed): run for run in others}
    pairs = [(run, partner[run.target, run.seed]) for run in runs if (run.target, run.seed) in partner]
    if not pairs:
        return None
    by_run = {id(a): b for a, b in pairs}

    def difference(run: Run[A]) -> tuple[float, Array]:
        other = by_run[id(run)]
        return run.value[figure] - other.value[figure], run.draws[figure] - other.draws[figure]

    differences = np.array([difference(run)[0] for run, _ in pairs])
    first, second = pairs[0]
    return Comparison(
        arm=first.arm,
        baseline=second.arm,
        figure=figure,
        difference=_estimate([run for run, _ in pairs], difference),
        pairs=len(pairs),
        above=int((differences > 0).sum()),
        p=wilcoxon(differences),
    )


def wilcoxon(differences: Array) -> float:
    """Return the two-sided p of the signed-rank test that differences are symmetric about 0; 1 if all are 0."""
    from scipy import stats

    moved = differences[np.round(differences, 12) != 0]
    return float(stats.wilcoxon(moved).pvalue) if len(moved) else 1.0


def _estimate(runs: Sequence[Run[A]], figure: Callable[[Run[A]], tuple[float, Array]]) -> Estimate:
    """Return the mean over seeds then targets, with an interval over subjects and seeds."""
    values, draws = [], []
    for target in sorted({run.target for run in runs}):
        found = [figure(run) for run in sorted(runs, key=lambda run: run.seed) if run.target == target]
        values.append(np.mean([value for value, _ in found]))
        resampled = np.stack([array for _, array in found])
        count, resamples = resampled.shape
        seeds = generator("study", "seeds", target).integers(count, size=(resamples, count))
        draws.append(resampled[seeds, np.arange(resamples)[:, None]].mean(axis=1))
    low, high = np.percentile(np.mean(draws, axis=0), (2.5, 97.5))
    return Estimate(float(np.mean(values)), float(low), float(high))
