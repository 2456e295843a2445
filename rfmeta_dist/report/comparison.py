"""Compare methods over targets and seeds: figures, differences, and a verdict on each difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.evaluation import decisions, delong, paired
from rfmeta_dist.report import caveats
from rfmeta_dist.report.words import split_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.evaluation.decisions import Verdict
    from rfmeta_dist.evaluation.paired import Estimate
    from rfmeta_dist.report.contestants import Contestant

MEAN = "mean"  # in place of a target: the mean over all targets, with equal weights
CONFIDENCE = 100 * (1 - paired.LEVEL)


@dataclass(frozen=True)
class Figure:
    """A method's figure on a target, or its mean over targets.

    Attributes:
        figure: name of the figure.
        method: name of the method.
        target: name of the target, or MEAN.
        values: the figure of each seed, a fraction.
        value: their mean. With MEAN, the mean over targets of the means over seeds.
        std: their sample standard deviation; None for one seed, or if the targets have other seeds.
        best: whether it is to be marked: it is better than all other methods, significantly.
    """

    figure: str
    method: str
    target: str
    values: Sequence[float]
    value: float
    std: float | None
    best: bool = False


@dataclass(frozen=True)
class Difference:
    """The difference of two methods in one figure.

    Attributes:
        figure: name of the figure.
        method, baseline: the two methods; the difference is that of `method` less `baseline`.
        target: name of the target, or MEAN.
        targets: the targets that both have.
        pairs: number of pairs of runs.
        estimate: the difference and its uncertainty.
        verdict: what was decided; None for single targets beside a mean, which decide nothing.
    """

    figure: str
    method: str
    baseline: str
    target: str
    targets: Sequence[str]
    pairs: int
    estimate: Estimate
    verdict: Verdict | None

    @property
    def interval(self) -> tuple[float, float]:
        """Return the ends of the interval at the confidence of `confidence`."""
        return (self.verdict.low, self.verdict.high) if self.verdict else self.estimate.interval()

    @property
    def confidence(self) -> float:
        """Return the confidence of the interval, in percent."""
        return 100 * (1 - (self.verdict.level if self.verdict else paired.LEVEL))

    @property
    def words(self) -> str:
        """Return the verdict in words; empty if none was made."""
        if self.verdict is None:
            return ""
        if not self.verdict.significant:
            return f"not significant at {CONFIDENCE:.0f} %"
        higher = self.estimate.value > 0
        better = higher == (self.figure in paired.HIGHER_IS_BETTER)
        return f"{'better' if better else 'worse'}, significant at {CONFIDENCE:.0f} %"


@dataclass(frozen=True)
class CrossCheck:
    """DeLong's test of AUC per video for one pair of runs, which decides nothing."""

    method: str
    baseline: str
    target: str
    seeds: tuple[int, int]
    result: delong.Delong


@dataclass(frozen=True)
class Comparison:
    """All that a comparison says.

    Attributes:
        methods: names of the methods, in the order of the runs.
        targets: names of the targets, in the order of the runs, and MEAN if there are several.
        splits: by target, the name of its split such as `O&C&I→M`; the target's own name if its runs have
            different sources.
        names: names of the figures.
        figures: a figure for each name, method and target that has runs.
        differences: the differences of the pairs of methods.
        checks: DeLong's test for each pair of runs.
        published: whether the targets and sources are those of the papers' figures.
        notes: sentences about all of it.
    """

    methods: Sequence[str]
    targets: Sequence[str]
    splits: dict[str, str]
    names: Sequence[str]
    figures: Sequence[Figure]
    differences: Sequence[Difference]
    checks: Sequence[CrossCheck]
    published: bool
    notes: Sequence[str]

    def figure(self, name: str, method: str, target: str) -> Figure | None:
        """Return a figure, or None if the method has no run on the target."""
        wanted = (name, method, target)
        return next((f for f in self.figures if (f.figure, f.method, f.target) == wanted), None)


def compare(
    found: Sequence[Contestant], names: Sequence[str], baseline: str | None = None, *, all_pairs: bool = False
) -> Comparison:
    """Compare the methods of some runs.

    Args:
        found: the runs, from `contestants.read`.
        names: names of the figures to compare, of `paired.FIGURES`.
        baseline: the method that all others are compared with; that of the first run if None.
        all_pairs: True to compare each method with each other one.

    Raises:
        ConfigError: the baseline is no method of the runs, or all runs are of one method.
        RunError: two methods have no target and seed in common.
    """
    methods = list(dict.fromkeys(one.method for one in found))
    targets = list(dict.fromkeys(one.run.target for one in found))
    couples = _couples(methods, baseline, all_pairs)
    of = {method: [one for one in found if one.method == method] for method in methods}
    differences = [d for name in names for d in _differences(of, couples, name)]
    shown = [*targets, MEAN] if len(targets) > 1 else targets
    figures = [figure_of(of[m], name, m, t, targets) for name in names for m in methods for t in shown]
    return Comparison(
        methods=methods,
        targets=shown,
        splits=_splits(found),
        names=names,
        figures=_marked([f for f in figures if f is not None], differences, methods),
        differences=differences,
        checks=[check for couple in couples for check in _checks(of, *couple)],
        published=caveats.as_published(found),
        notes=caveats.of(found, of, couples),
    )


def _splits(found: Sequence[Contestant]) -> dict[str, str]:
    """Return the name of each target's split, or the target's own name if its runs have different sources."""
    sources: dict[str, set[tuple[str, ...]]] = {}
    names: dict[str, str] = {}
    for one in found:
        target = one.run.target
        sources.setdefault(target, set()).add(one.sources)
        names[target] = split_name(one.record.evaluation["sources"], target)
    return {target: name if len(sources[target]) == 1 else target for target, name in names.items()}


def _couples(methods: Sequence[str], baseline: str | None, all_pairs: bool) -> list[tuple[str, str]]:
    """Return the pairs of methods to compare, each with its baseline second."""
    if len(methods) < 2:
        raise ConfigError(
            f"all runs are of one method, {methods[0]}, so there is nothing to compare",
            "give runs of another method too, or name some of them with: --label RUN=NAME",
        )
    if baseline is not None and baseline not in methods:
        raise ConfigError(
            f"--baseline {baseline!r} is no method of these runs", f"choose from {', '.join(methods)}"
        )
    first = baseline or methods[0]
    ordered = [first, *(method for method in methods if method != first)]
    if all_pairs:
        return [(b, a) for a, b in combinations(ordered, 2)]
    return [(method, first) for method in ordered[1:]]


def _differences(
    of: dict[str, list[Contestant]], couples: Sequence[tuple[str, str]], name: str
) -> list[Difference]:
    """Return the differences in one figure. Those that decide are corrected by Holm's procedure together."""
    deciding, single = [], []
    for method, baseline in couples:
        both = paired.pairs([one.run for one in of[method]], [one.run for one in of[baseline]])
        if not both:
            raise RunError(
                f"{method} and {baseline} have no target and seed in common",
                "judge both on the same target with the same seeds, or leave the runs of one out",
            )
        targets = list(dict.fromkeys(run.target for run, _ in both))
        whole = paired.compare(both, name)
        place = MEAN if len({o.run.target for some in of.values() for o in some}) > 1 else targets[0]
        deciding.append((method, baseline, place, targets, len(both), whole))
        some = []
        for target in targets if place == MEAN else ():
            here = [pair for pair in both if pair[0].target == target]
            estimate = paired.compare(here, name)
            some.append(Difference(name, method, baseline, target, [target], len(here), estimate, None))
        single.append(some)
    verdicts = decisions.decide([row[-1] for row in deciding])
    found = []
    for row, verdict, some in zip(deciding, verdicts, single, strict=True):
        found += [Difference(name, *row, verdict), *some]
    return found


def figure_of(
    runs: Sequence[Contestant], name: str, method: str, target: str, targets: Sequence[str]
) -> Figure | None:
    """Return a method's figure on a target or over all targets; None if it lacks runs.

    Args:
        runs: the method's runs.
        name: the figure, one of `paired.FIGURES`.
        method: name of the method.
        target: name of the target, or MEAN.
        targets: all targets.
    """
    import numpy as np

    by_target = [{o.run.seed: o.run.value[name] for o in runs if o.run.target == t} for t in targets]
    if target != MEAN:
        by_target = [by_target[targets.index(target)]]
    if not all(by_target):
        return None
    seeds = by_target[0].keys()
    mean = float(np.mean([np.mean(list(values.values())) for values in by_target]))
    if any(values.keys() != seeds for values in by_target):
        return Figure(name, method, target, (), mean, None)
    values = [float(np.mean([of_target[seed] for of_target in by_target])) for seed in sorted(seeds)]
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Figure(name, method, target, values, mean, std)


def _marked(
    figures: Sequence[Figure], differences: Sequence[Difference], methods: Sequence[str]
) -> list[Figure]:
    """Mark a method whose figure is better than that of each other method, significantly."""
    won: dict[tuple[str, str, str], set[str]] = {}
    for d in differences:
        if d.verdict and d.verdict.significant:
            method_wins = (d.estimate.value > 0) == (d.figure in paired.HIGHER_IS_BETTER)
            winner, loser = (d.method, d.baseline) if method_wins else (d.baseline, d.method)
            won.setdefault((d.figure, winner, d.target), set()).add(loser)
    return [
        replace(f, best=len(won.get((f.figure, f.method, f.target), ())) == len(methods) - 1) for f in figures
    ]


def _checks(of: dict[str, list[Contestant]], method: str, baseline: str) -> list[CrossCheck]:
    by_run = {id(one.run): one.videos for some in of.values() for one in some}
    found = []
    for run, other in paired.pairs([o.run for o in of[method]], [o.run for o in of[baseline]]):
        videos, others = by_run[id(run)], by_run[id(other)]
        result = delong.delong(videos.label, others.score, videos.score)
        found.append(CrossCheck(method, baseline, run.target, (run.seed, other.seed), result))
    return found
