"""Compare methods on the same recordings, paired by subject and by seed, with one p-value that decides.

A run's figure is close to a mean of what its subjects contribute. The contributions are the figure's influence
values: exact for rates at a fixed threshold, and for AUC those of DeLong summed over each subject's recordings
(Obuchowski 1997, Biometrics 53:567-578). For a difference of two methods, they are subtracted subject by
subject. Their variance is that of a bootstrap of whole subjects, the same ones for both methods, in the limit
of many resamples, times S/(S−1) for S subjects.

With several seeds, the difference also varies from training to training. Targets that are no part of the
training may share one: the runs of a seed on O&C→I and O&C→M have the same weights. Subjects and seeds are
crossed, like cases and readers in radiology. So the variance is that of Dorfman, Berbaum & Metz (1992) and
Hillis (2007): the part of the seeds, plus the part of the subjects that is the same for all seeds. The
difference divided by its standard error follows a t distribution with Satterthwaite's degrees of freedom.
Targets are fixed and have equal weights.

p and interval are two forms of one test, so the interval excludes 0 exactly if p is below the level. The null
hypothesis is that the two figures are equal over all people like the subjects. It is not that both models give
everybody equal scores, and the models may have different thresholds. `bench/comparison.py` compares this test
with three that resample.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
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
        trained_on: names the sources. Runs of a method with the same sources and seed are one training. If it
            is empty, each target has trainings of its own.
    """

    target: str
    seed: int
    value: Mapping[str, float]
    influence: Mapping[str, Array]
    trained_on: str = ""


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


def judged(videos: Scores, threshold: float, target: str, seed: int, trained_on: str = "") -> Run:
    """Compute a run's figures per video and their influence values.

    Args:
        videos: the target's scores, one row for each video.
        threshold: a video is accepted as live if its score ≥ threshold.
        target: name of the target.
        seed: seed of the training.
        trained_on: names its sources; see `Run`.

    Raises:
        DataError: a class is missing, or is shown by fewer than two subjects.
    """
    require_subjects(videos)
    points = figures.points(videos, threshold)
    value = {name: points[name] for name in FIGURES}
    return Run(target, seed, value, _influences(videos, threshold), trained_on)


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
    parts, value, subjects = [], 0.0, 0
    trainings: dict[Hashable, list[dict[int, float]]] = defaultdict(list)
    for target in targets:
        here = [(a, b) for a, b in both if a.target == target]
        of_pairs = np.array([a.value[figure] - b.value[figure] for a, b in here])
        influence = np.array([a.influence[figure] - b.influence[figure] for a, b in here])
        value += float(of_pairs.mean()) / len(targets)
        parts.append((_between_subjects(influence) / len(targets) ** 2, influence.shape[1] - 1))
        sources = [(a.trained_on, b.trained_on) for a, b in here]
        shared = sources[0] if all(sources[0]) and len(set(sources)) == 1 else target
        seeds = [a.seed for a, _ in here]
        trainings[shared].append(dict(zip(seeds, (of_pairs - of_pairs.mean()).tolist(), strict=True)))
        subjects += influence.shape[1]
    parts += _between_seeds(list(trainings.values()), len(targets))
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


def _between_seeds(trainings: Sequence[Sequence[Mapping[int, float]]], targets: int) -> list[tuple[float, int]]:
    """Return the variances that seeds add to the mean over targets, each with its degrees of freedom.

    On targets that share a training, a seed's deviations are added before they are squared, because they are
    not independent. The variance of one training is pooled over all that are judged on equally many targets.
    There is no variance if no training has two seeds; the result is then about these trained models alone.

    Args:
        trainings: for each of them, and for each target that it is judged on, by seed: how far the difference
            lies from its mean over seeds.
        targets: number of targets.
    """
    found = []
    for judged_on in sorted({len(some) for some in trainings}):
        squares, share, freedom = 0.0, 0.0, 0
        for some in (some for some in trainings if len(some) == judged_on):
            seeds = set().union(*some)
            deviations = [sum(of_target.get(seed, 0.0) for of_target in some) for seed in seeds]
            squares += sum((deviation / targets) ** 2 for deviation in deviations)
            share, freedom = share + 1 / len(seeds), freedom + len(seeds) - 1
        if freedom:
            found.append((squares / freedom * share, freedom))
    return found
