"""Compare what a study chose for a target with what the target's own labels would have chosen.

This is done after the search, because it looks at the labels. Every candidate is trained on all sources of the
target and judged on it, with the seeds of the search; the best of these is the oracle. Oracle, choice and base
are then trained again with seeds of which no decision knows, and only these fresh figures are compared.

Fresh seeds are needed because the figure of the oracle is the lowest of many noisy ones. It is that low partly
by luck, so the distance to it on the same seeds is too large, and often about twice as large as it should be.
On fresh seeds the distance is an unbiased estimate of how much worse the choice is than the oracle.

The oracle need not be the very best candidate, because it is found by noisy figures too. How much worse the
choice is than the very best candidate lies, on average, between two figures: at least the regret against the
oracle on fresh seeds, and at most the distance of the choice on fresh seeds to the oracle's lucky figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from statistics import mean, stdev

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.choice import best, fresh_seed
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.view import View

Lookup = Callable[[str, Candidate, int], Result | None]  # of target, candidate and seed; None if not there yet
Training = tuple[Candidate, int]  # with its seed, on all sources of a target

LEVEL = 0.95
INTERVAL = (
    f"{100 * LEVEL:.0f} % interval of Student's t over seeds, from the differences of two configurations with "
    "the same seed. It covers how trainings differ by seed, but not which videos the target happens to have"
)


@dataclass(frozen=True)
class Difference:
    """How much worse one configuration is than another, over seeds.

    Attributes:
        by_seed: for each fresh seed, by how much the metric is worse, as a fraction; negative if it is better.
    """

    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean over seeds."""
        return mean(self.by_seed)

    @property
    def std(self) -> float:
        """Return the standard deviation over seeds, with n − 1 in the denominator."""
        return stdev(self.by_seed)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval that `INTERVAL` describes."""
        half = t_quantile(len(self.by_seed) - 1) * self.std / math.sqrt(len(self.by_seed))
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Case:
    """What is compared for a target.

    Attributes:
        target: the target.
        candidates: all that its search proposed, also those that were stopped; the first is the base.
        chosen: the one that the study chose.
        seeds: seeds of the search.
        fresh: seeds of which no decision knows.
        metric: `hter` or `auc`.
    """

    target: str
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    seeds: tuple[int, ...]
    fresh: tuple[int, ...]
    metric: str

    @property
    def base(self) -> Candidate:
        """Return the base."""
        return self.candidates[0]

    def oracle(self, lookup: Lookup) -> Candidate | None:
        """Return the best candidate by the target's labels, on the seeds of the search; None if all failed.

        Of equal ones it is that with the lowest number.

        Raises:
            LookupError: a figure is missing.
        """
        found = [(candidate, self._values(candidate, self.seeds, lookup)) for candidate in self.candidates]
        scores = [(self._sign * mean(values), c.number, c) for c, values in found if values is not None]
        return min(scores, key=lambda score: score[:2])[2] if scores else None

    def wanted(self, lookup: Lookup) -> list[Training]:
        """Return the trainings whose figures are missing and that can be done now, those of the search first.

        Which candidate is the oracle is known only when all figures on the seeds of the search are there.
        """
        searched = [(candidate, seed) for candidate in self.candidates for seed in self.seeds]
        missing = [one for one in searched if lookup(self.target, *one) is None]
        compared = [self.chosen, self.base]
        if not missing and (oracle := self.oracle(lookup)) is not None:
            compared.insert(0, oracle)
        again = [(candidate, seed) for candidate in _distinct(compared) for seed in self.fresh]
        return missing + [one for one in again if lookup(self.target, *one) is None]

    def judged(self, lookup: Lookup) -> Iterator[tuple[Candidate, int, Result]]:
        """Yield each training that has a figure: its candidate, seed and figure."""
        for candidate in self.candidates:
            for seed in (*self.seeds, *self.fresh):
                if (result := lookup(self.target, candidate, seed)) is not None:
                    yield candidate, seed, result

    def worse(self, candidate: Candidate, than: Candidate | None, lookup: Lookup) -> Difference | None:
        """Return how much worse a candidate is than another on the fresh seeds.

        Returns:
            None if there is no other, or if one of the trainings failed: to leave out the seeds with which a
            configuration fails would flatter it.

        Raises:
            LookupError: a figure is missing.
        """
        if than is None:
            return None
        left, right = self.on_fresh(candidate, lookup), self.on_fresh(than, lookup)
        if left is None or right is None:
            return None
        return Difference(tuple(self._sign * (a - b) for a, b in zip(left, right, strict=True)))

    def at_most(self, lookup: Lookup) -> float | None:
        """Return how much worse the choice is than the very best candidate at most, on average over studies.

        It is the distance from the choice on fresh seeds to the best figure on the seeds of the search. The
        mean of the lowest of noisy figures is never above the lowest of their means.

        Returns:
            None if all candidates failed, or if the choice failed with a fresh seed.

        Raises:
            LookupError: a figure is missing.
        """
        oracle, chosen = self.oracle(lookup), self.on_fresh(self.chosen, lookup)
        if oracle is None or chosen is None:
            return None
        lucky = self._values(oracle, self.seeds, lookup)
        assert lucky is not None  # an oracle has not failed
        return self._sign * (mean(chosen) - mean(lucky))

    def on_fresh(self, candidate: Candidate, lookup: Lookup) -> list[float] | None:
        """Return a candidate's figure for each fresh seed, in [0, 1]; None if one of the trainings failed.

        Raises:
            LookupError: a figure is missing.
        """
        return self._values(candidate, self.fresh, lookup)

    @property
    def _sign(self) -> int:
        return 1 if self.metric == "hter" else -1

    def _values(self, candidate: Candidate, seeds: Sequence[int], lookup: Lookup) -> list[float] | None:
        """Return the metric for each seed; None if a training failed, or has no such figure."""
        results = [self._result(lookup, candidate, seed) for seed in seeds]
        found = [
            result.hter if self.metric == "hter" else result.auc for result in results if not result.failed
        ]
        known = [value for value in found if value is not None and not math.isnan(value)]
        return known if len(known) == len(seeds) else None

    def _result(self, lookup: Lookup, candidate: Candidate, seed: int) -> Result:
        result = lookup(self.target, candidate, seed)
        if result is None:
            raise LookupError(f"candidate {candidate.number} with seed {seed} is missing for {self.target}")
        return result


def case(study: Study, view: View, seeds: int) -> Case:
    """Return what is to be compared for a target whose search has come to its end.

    Args:
        study: the study.
        view: what the target knows at the end.
        seeds: number of fresh seeds, at least 2.

    Raises:
        RunError: nothing was chosen for the target.
    """
    candidates = tuple(entry.candidate for entry in view.entries)
    chosen = best(study, view).candidate
    return Case(view.target, candidates, chosen, study.seeds, fresh_seeds(study, seeds), study.metric)


def fresh_seeds(study: Study, number: int) -> tuple[int, ...]:
    """Return the lowest seeds that neither the search nor a choice file has."""
    used = {*study.seeds, fresh_seed(study)}
    return tuple(islice((seed for seed in count() if seed not in used), number))


def trainings(cases: Sequence[Case]) -> int:
    """Return the number of trainings at most: the oracle, not known yet, is one more configuration."""
    return sum(
        len(case.candidates) * len(case.seeds)
        + min(len(case.candidates), len(_distinct([case.chosen, case.base])) + 1) * len(case.fresh)
        for case in cases
    )


def over_targets(differences: Sequence[Difference | None]) -> Difference | None:
    """Return the mean over targets of their differences, seed by seed; None if one is missing.

    The seeds are what is independent: one value is made for each seed first, and the spread is over these.
    """
    known = [one for one in differences if one is not None]
    if not known or len(known) < len(differences):
        return None
    return Difference(tuple(map(mean, zip(*(one.by_seed for one in known), strict=True))))


def t_quantile(degrees: int) -> float:
    """Return the value that |t| exceeds with a probability of 1 − `LEVEL`.

    Args:
        degrees: degrees of freedom of Student's distribution, at least 1.
    """
    low, high = 0.0, 1.0
    while _within(high, degrees) < LEVEL:
        high *= 2
    for _ in range(100):  # halves the bracket to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < LEVEL else (low, middle)
    return high


def _within(t: float, degrees: int) -> float:
    """Return the probability that |T| ≤ t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, degrees, 2):  # each term is the one before times cos² · k / (k + 1)
        total += term
        term *= math.cos(angle) ** 2 * k / (k + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    return list({candidate.number: candidate for candidate in candidates}.values())
