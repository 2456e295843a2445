"""What a target knows of a study: its candidates, their figures, and which figures it wants next.

A view is a pure function of the study file and of the target's own figures. It asks for figures one cohort and
rung after another, and sees no figure that it has not asked for. So nothing that other targets do, and no order
in which trainings end, can change it: that is what keeps a target's data out of its own choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from statistics import mean

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import folds, halving
from rfmeta_dist.tuning.cohorts import Proposals
from rfmeta_dist.tuning.folds import Figure
from rfmeta_dist.tuning.proposals import Candidate, Told
from rfmeta_dist.tuning.results import Result

Lookup = Callable[[Figure], Result | None]
SAME_FAILURES = 3  # a target stops if so many of its first candidates, all of them, fail in the same way


@dataclass(frozen=True)
class Entry:
    """A candidate as a target knows it.

    Attributes:
        candidate: the candidate.
        cohort: number of its cohort, from 0.
        rungs: for each step at which it was judged, the mean over seeds of the study's metric, by fold.
        stopped: the step after which it was stopped early; None if it was not.
        failed: why it failed; empty if it did not.
        kind: in what way it failed, as in `Result`.
        value: its score: mean over folds and seeds at the last step; None unless it came to its end.
    """

    candidate: Candidate
    cohort: int
    rungs: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    stopped: int | None = None
    failed: str = ""
    kind: str = ""
    value: float | None = None

    @property
    def folds(self) -> Mapping[str, float]:
        """Return its newest figures: the mean over seeds by fold."""
        return self.rungs[max(self.rungs)] if self.rungs else {}

    @property
    def undecided(self) -> bool:
        """Return True if it still wants figures."""
        return self.stopped is None and not self.failed and self.value is None

    @property
    def told(self) -> Told:
        """Return what a search learns from it."""
        scores = {step: mean(by_fold.values()) for step, by_fold in self.rungs.items()}
        return Told(self.candidate, self.value, scores, bool(self.failed))


@dataclass(frozen=True)
class Decision:
    """What a target decided when a cohort had come to a step: who trains on, or at the end, who came to it.

    Attributes:
        cohort: number of the cohort.
        step: the step.
        going: numbers of the candidates that train on; at the last step, of those that have a score.
        last: True if it is the cohort's last step.
    """

    cohort: int
    step: int
    going: tuple[int, ...]
    last: bool


@dataclass(frozen=True)
class View:
    """What a target knows.

    Attributes:
        target: the target.
        entries: its candidates so far, in order.
        wanted: the figures that it asks for next, in order. If there are none, its search is over.
        problem: why this target was stopped; empty if it was not.
        decisions: what was decided so far, in order of the cohorts.
    """

    target: str
    entries: tuple[Entry, ...]
    wanted: tuple[Figure, ...]
    problem: str = ""
    decisions: tuple[Decision, ...] = ()

    @property
    def cohorts(self) -> int:
        """Return how many cohorts have been begun: those before the first one of which nothing was judged."""
        begun = {entry.cohort for entry in self.entries if entry.rungs or entry.failed}
        return max(1, next(number for number in count() if number not in begun))


@dataclass(frozen=True)
class _Cohort:
    entries: list[Entry]
    wanted: list[Figure]
    decisions: list[Decision]


class Views:
    """Gives the view of each target of a study.

    Args:
        study: the study.
        total: number of candidates to consider.
    """

    def __init__(self, study: Study, total: int) -> None:
        self._study = study
        self._proposals = Proposals(study, total)

    def of(self, target: str, lookup: Lookup, cohorts: int | None = None) -> View:
        """Return a target's view.

        Args:
            target: the target.
            lookup: returns a figure, or None if it is not there yet. It is called with figures that this target
                asks for, and with no others.
            cohorts: number of cohorts to consider; all if None.
        """
        entries: list[Entry] = []
        wanted: list[Figure] = []
        decisions: list[Decision] = []
        for number in range(cohorts if cohorts is not None else len(self._proposals)):
            if wanted and self._proposals.learns_at(number):
                break  # its candidates depend on figures that are not there yet
            members = self._proposals.cohort(target, number, [entry.told for entry in entries])
            if not members:
                break
            found = self._cohort(target, number, members, lookup)
            entries += found.entries
            wanted += found.wanted
            decisions += found.decisions
            if problem := _problem(entries):
                return View(target, tuple(entries[:SAME_FAILURES]), (), problem)
        return View(target, tuple(entries), tuple(wanted), decisions=tuple(decisions))

    def _cohort(self, target: str, number: int, members: Sequence[Candidate], lookup: Lookup) -> _Cohort:
        """Follow a cohort from rung to rung, as far as its figures are there."""
        entries = {c.number: Entry(c, number) for c in members}
        going = set(entries)
        decisions: list[Decision] = []
        for rung in range(len(self._study.search.rungs) + 1):
            wanted: list[Figure] = []
            for candidate in (c for c in members if c.number in going):
                missing = list(self._at(entries, target, candidate, rung, lookup))
                wanted += missing
            if wanted:
                return _Cohort(list(entries.values()), wanted, decisions)
            came, going = going, self._decide(entries, going, rung)
            decisions.append(self._decision(entries, came, going, rung))
        return _Cohort(list(entries.values()), [], decisions)

    def _decision(self, entries: Mapping[int, Entry], came: set[int], going: set[int], rung: int) -> Decision:
        last = rung == len(self._study.search.rungs)
        first = entries[min(entries)]
        numbers = [n for n in came if entries[n].value is not None] if last else going
        return Decision(first.cohort, self._step(first.candidate, rung), tuple(sorted(numbers)), last)

    def _at(
        self, entries: dict[int, Entry], target: str, candidate: Candidate, rung: int, lookup: Lookup
    ) -> Iterator[Figure]:
        """Enter what is known of a candidate at a rung, and yield the figures that are missing."""
        step = self._step(candidate, rung)
        found: dict[str, list[Result]] = {}
        missing = False
        for seed in self._study.seeds:
            for fold in folds.of_target(self._study, target):
                figure = Figure(candidate, seed, fold, step)
                result = lookup(figure)
                if result is None:
                    missing = True
                    yield figure
                else:
                    found.setdefault(fold, []).append(result)
        if missing:
            return
        entry = entries[candidate.number]
        lost = next((r for results in found.values() for r in results if r.failed), None)
        if lost is not None:
            entries[candidate.number] = replace(entry, failed=lost.failed, kind=lost.kind)
            return
        by_fold = {fold: mean(self._metric(result) for result in results) for fold, results in found.items()}
        entries[candidate.number] = replace(entry, rungs={**entry.rungs, step: by_fold})

    def _decide(self, entries: dict[int, Entry], going: set[int], rung: int) -> set[int]:
        """Enter what a rung decides, and return the numbers of those that train on."""
        search = self._study.search
        scores = {n: None if entries[n].failed else mean(entries[n].folds.values()) for n in sorted(going)}
        if rung == len(search.rungs):
            for number, score in scores.items():
                entries[number] = replace(entries[number], value=score)
            return set()
        on = halving.survivors(scores, search.keep, lowest=self._study.metric == "hter")
        for number in going - on:
            if not entries[number].failed:
                entries[number] = replace(entries[number], stopped=search.rungs[rung])
        return on

    def _step(self, candidate: Candidate, rung: int) -> int:
        rungs = self._study.search.rungs
        if rung < len(rungs):
            return rungs[rung]
        steps: int = candidate.values.get("training.steps", self._study.base.training.steps)
        return steps

    def _metric(self, result: Result) -> float:
        value = result.hter if self._study.metric == "hter" else result.auc
        return math.nan if value is None else value


def _problem(entries: Sequence[Entry]) -> str:
    """Return why a target is to be stopped: its first candidates all failed in the same way."""
    first = entries[:SAME_FAILURES]
    if len(first) < SAME_FAILURES or not first[0].failed or any(e.kind != first[0].kind for e in first):
        return ""
    return f"its first {SAME_FAILURES} candidates all failed in the same way: {first[0].failed}"
