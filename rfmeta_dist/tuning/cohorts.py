"""Give the candidates of each target, cohort by cohort."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import learned
from rfmeta_dist.tuning.proposals import Candidate, Told, candidates, startup


class Proposals:
    """The candidates of a study's targets.

    Args:
        study: the study.
        total: number of candidates to propose for each target, if the space has so many.
    """

    def __init__(self, study: Study, total: int) -> None:
        self._study, self._total = study, total
        self._shared = candidates(study, total)
        self._learned: dict[str, list[Candidate]] = {}

    def __len__(self) -> int:
        """Return the number of cohorts, at most: a space with few values may have fewer candidates."""
        total = self._total if self._study.search.learns else len(self._shared)
        return math.ceil(total / self._study.search.batch)

    def learns_at(self, number: int) -> bool:
        """Return True if the candidates of a cohort depend on the scores of all cohorts before it."""
        return self._study.search.learns and number * self._study.search.batch >= startup(self._study)

    def cohort(self, target: str, number: int, told: Sequence[Told]) -> Sequence[Candidate]:
        """Return the candidates of a cohort; none if the space has no more.

        Args:
            target: the target.
            number: of the cohort, from 0.
            told: what the target knows about the candidates of all cohorts before.
        """
        first = number * self._study.search.batch
        last = min(first + self._study.search.batch, self._total)
        if not self.learns_at(number):
            return self._shared[first:last]
        history = [[t.candidate.values, t.value, t.rungs, t.failed] for t in told]
        key = json.dumps([target, number, history], sort_keys=True)
        if key not in self._learned:  # a proposal takes part of a second, and is asked for again and again
            self._learned[key] = learned.propose(self._study, target, told, last - first)
        return self._learned[key]
