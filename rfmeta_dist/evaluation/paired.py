"""Compare methods on the same recordings, paired by subject and by seed, with one p-value that decides.

A run's figure is close to a mean of what its subjects contribute. The contributions are the figure's influence
values: exact for rates at a fixed threshold, and for AUC those of DeLong summed over each subject's recordings
(Obuchowski 1997, Biometrics 53:567-578). For a difference of two methods, they are subtracted subject by
subject. Their variance is that of a bootstrap of whole subjects, the same ones for both methods, in the limit
of many resamples, times S/(S−1) for S subjects.

With several seeds, the difference also varies from training to training. Subjects and seeds are crossed, like
cases and readers in radiology. So the variance is that of Dorfman, Berbaum & Metz (1992) and Hillis (2007): the
part of the seeds, plus the part of the subjects that is the same for all seeds. The difference divided by its
standard error follows a t distribution with Satterthwaite's degrees of freedom. Targets are fixed and have
equal weights.

p and interval are two forms of one test, so the interval excludes 0 exactly if p is below the level. The null
hypothesis is that the two figures are equal over all people like the subjects. It is not that both models give
everybody equal scores, and the models may have different thresholds. `bench/comparison.py` compares this test
with three that resample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation import figures
from rfmeta_dist.evaluation.delong import placements
from rfmeta_dist.evaluation.rates import apcer, worst
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Array = NDArray[np.float64]

FIGURES = ("HTER", "AUC", "ACER", "FAR", "BPCER", "APCER_worst")  # those of `figures.points` that have a test
HIGHER_IS_BETTER = ("AUC",)
LEVEL = 0.05  # level of significance


@dataclass(frozen=True)
class Run:
    """The figures of one judged training on its target.

    Attributes:
        target: the domain judged on.
        seed: seed of the training.
        value: each of FIGURES, per video.
        influence: for each of FIGURES, what each of the target's S subjects adds to the deviation from the
            figure, in the order of the subjects' names; the sum is 0.
    """

    target: str
    seed: int
    value: Mapping[str, float]
    influence: Mapping[str, Array]


@dataclass(frozen=True)
class Estimate:
    """A difference of two methods with its uncertainty.

    Attributes:
        value: the difference, in [−1, 1].
        error: its standard error.
        freedom: degrees of freedom of the t distribution.
        subjects: number of subjects over all targets.
    """

    value: float
    error: float
    freedom: float
    subjects: int

    @property
    def p(self) -> float:
        """Return the two-sided p that there is no difference.

        If all subjects contribute the same, there is no variance to compare with. p is then 2^(1−S) for S
        subjects, as in a sign test.
        """
        from scipy import stats

        if self.value == 0:
            return 1.0
        if self.error == 0:
            return 2.0 ** (1 - self.subjects)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of the interval for the confidence 1 − level. It excludes 0 exactly if p < level."""
        from scipy import stats

        if self.error == 0:
            return (self.value, self.value) if self.value == 0 or self.p < level else (-1.0, 1.0)
        half = self.error * float(stats.t.isf(level / 2, self.freedom))
        return max(-1.0, self.value - half), min(1.0, self.value + half)


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


def judged(videos: Scores, threshold: float, target: str, seed: int) -> Run:
    """Compute a run's figures per video and their influence values.

    Args:
        videos: the target's scores, one row for each video.
        threshold: a video is accepted as live if its score ≥ threshold.
        target: name of the target.
        seed: seed of the training.

    Raises:
        DataError: a class is missing, or is shown by fewer than two subjects.
    """
    require_subjects(videos)
    points = figures.points(videos, threshold)
    return Run(target, seed, {name: points[name] for name in FIGURES}, _influences(videos, threshold))


def require_subjects(videos: Scores) -> None:
    """Check that each class is shown by at least two subjects, without which nothing is known about others.

    Raises:
        DataError: it is not.
    """
    videos.require_both_classes("the target")
    for label, name in ((1, "live"), (0, "attack")):
        people = len(set(videos.subject[videos.label == label].tolist()))
        if people < 2:
            raise DataError(
                f"all {name} recordings of {videos.domain[0]} are of one person, so nothing can be said about "
                "how far the models would differ on other people",
                "judge the runs on a target with more people; if their names are missing, ingest it again with "
                "them",
            )


def _influences(videos: Scores, threshold: float) -> dict[str, Array]:
    """Return the influence values of each of FIGURES."""
    import numpy as np

    names, subject = coded(videos.subject)
    accepted = (videos.score >= threshold).astype(np.float64)

    def of_mean(rows: NDArray[np.bool_], value: Array) -> Array:
        deviation = (value - value.mean()) / len(value)
        return np.bincount(subject[rows], weights=deviation, minlength=len(names)).astype(np.float64)

    live, attack = videos.label == 1, videos.label == 0
    kind = videos.attack_type == worst(apcer(videos.attack_type, videos.score, threshold))[0]
    above, below = placements(videos.label, videos.score)
    false_accept, false_reject = of_mean(attack, accepted[attack]), of_mean(live, 1 - accepted[live])
    of_worst = of_mean(kind, accepted[kind])
    return {
        "HTER": (false_accept + false_reject) / 2,
        "AUC": of_mean(live, above) + of_mean(attack, below),
        "ACER": (of_worst + false_reject) / 2,
        "FAR": false_accept,
        "BPCER": false_reject,
        "APCER_worst": of_worst,
    }


def pairs(runs: Sequence[Run], others: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Return the pairs of runs with the same target and seed, by target and seed.

    If two methods have one run each on a target, these are a pair whatever their seeds.
    """
    found = []
    for target in sorted({run.target for run in runs} & {run.target for run in others}):
        one, two = ({run.seed: run for run in some if run.target == target} for some in (runs, others))
        common = sorted(one.keys() & two.keys())
        found += [(one[seed], two[seed]) for seed in common]
        if not common and len(one) == len(two) == 1:
            found += list(zip(one.values(), two.values(), strict=True))
    return found


def compare(both: Sequence[tuple[Run, Run]], figure: str) -> Estimate:
    """Compare the first runs of some pairs with the second ones.

    Args:
        both: pairs of runs on the same recordings, at least one.
        figure: one of FIGURES.

    Returns:
        The mean difference, first less second, over the pairs of each target and then over targets.
    """
    import numpy as np

    targets = sorted({run.target for run, _ in both})
    parts, differences, value, subjects = [], [], 0.0, 0
    for target in targets:
        here = [(a, b) for a, b in both if a.target == target]
        of_pairs = np.array([a.value[figure] - b.value[figure] for a, b in here])
        influence = np.array([a.influence[figure] - b.influence[figure] for a, b in here])
        value += float(of_pairs.mean()) / len(targets)
        parts.append((_between_subjects(influence) / len(targets) ** 2, influence.shape[1] - 1))
        differences.append(of_pairs)
        subjects += influence.shape[1]
    parts.append(_between_seeds(differences))
    variance = sum(part for part, _ in parts)
    squares = sum(part**2 / freedom for part, freedom in parts if part)
    freedom = variance**2 / squares if squares else float(subjects - len(targets))
    tiny = 1e-12  # rounding errors of equal influence values are no variance
    return Estimate(value if abs(value) > tiny else 0.0, _root(variance, tiny), freedom, subjects)


def _root(variance: float, tiny: float) -> float:
    error = math.sqrt(variance)
    return error if error > tiny else 0.0


def _between_subjects(influence: Array) -> float:
    """Return the variance of the mean over pairs that comes from the subjects and is the same for all seeds.

    Args:
        influence: K×S influence values of K pairs of runs.
    """
    pairs_, subjects = influence.shape
    mean = influence.mean(axis=0)
    variance: float = float((mean**2).sum()) * subjects / (subjects - 1)
    if pairs_ == 1:
        return variance
    # What subjects contribute in single pairs only is in the variance between seeds already.
    own: float = float(((influence - mean) ** 2).sum()) * subjects / ((subjects - 1) * (pairs_ - 1) * pairs_)
    return max(0.0, variance - own)


def _between_seeds(differences: Sequence[Array]) -> tuple[float, int]:
    """Return the variance that seeds add to the mean over targets, and its degrees of freedom.

    The variance of one pair is pooled over targets. It is 0, with 0 degrees of freedom, if no target has two
    pairs. The result is then about these trained models alone.

    Args:
        differences: for each target, the differences of its pairs of runs.
    """
    freedom = sum(len(some) - 1 for some in differences)
    if not freedom:
        return 0.0, 0
    squares = sum(float(((some - some.mean()) ** 2).sum()) for some in differences)
    share = sum(1 / len(some) for some in differences) / len(differences) ** 2
    return squares / freedom * share, freedom


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
