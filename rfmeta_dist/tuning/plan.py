"""Plan a study from its file alone: how many candidates, which trainings, and at most how many steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.cohorts import Proposals
from rfmeta_dist.tuning.proposals import Candidate, candidates, count


@dataclass(frozen=True)
class Plan:
    """What a study needs, as a pure function of its file.

    Attributes:
        study: the study.
    """

    study: Study

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the targets for which a configuration is chosen."""
        return self.study.targets or self.study.domains

    @cached_property
    def total(self) -> int:
        """Return the number of candidates of each target, as far as the budget goes.

        Raises:
            ConfigError: the budget is too small for the base.
        """
        wanted = count(self.study)
        if not self.study.search.learns:
            wanted = len(candidates(self.study, wanted))
        budget = self.study.budget
        for name, limit, needed in (
            ("trainings", budget.trainings, self.trainings_of),
            ("steps", budget.steps, self.steps_of),
        ):
            if limit is None:
                continue
            if needed(1) > limit:
                raise ConfigError(
                    f"budget.{name}={limit} is less than what the base alone needs, {needed(1)}",
                    f"raise budget.{name}, or give fewer seeds or targets",
                )
            # `needed` rises with the number of candidates.
            low, high = 1, wanted
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if needed(middle) <= limit else (low, middle - 1)
            wanted = low
        return wanted

    @cached_property
    def shared(self) -> list[Candidate]:
        """Return the candidates that depend on no score, which all targets share; the first is the base."""
        proposals = Proposals(self.study, self.total)
        cohorts = [n for n in range(len(proposals)) if not proposals.learns_at(n)]
        return [c for n in cohorts for c in proposals.cohort("", n, ())]

    @property
    def trainings(self) -> int:
        """Return the number of trainings, none stopped early and none found to be done already."""
        return self.trainings_of(self.total)

    def trainings_of(self, candidates: int) -> int:
        """Return the number of trainings that `candidates` candidates of each target need at most."""
        sizes = [size * len(self._wanted_by(shared)) for size, shared in self._cohorts(candidates)]
        return len(self.study.seeds) * sum(sizes)

    def steps_of(self, candidates: int) -> int:
        """Return the number of steps that `candidates` candidates of each target need at most.

        So many are needed if the targets disagree as far as they can about who trains on after a rung.
        """
        return len(self.study.seeds) * sum(
            self._steps_of_cohort(size, shared, first=number == 0)
            for number, (size, shared) in enumerate(self._cohorts(candidates))
        )

    def _steps_of_cohort(self, size: int, shared: bool, *, first: bool) -> int:
        """Return the steps of a cohort at most, for one seed."""
        search, before, steps = self.study.search, 0, 0
        base = 1 if first else 0  # goes on besides, for all targets together
        others = size - base  # that train on for one target
        for rung in (*search.rungs, self._longest):
            for targets in self._wanted_by(shared):  # each of them has survivors of its own
                steps += min(size, targets * others + base) * (rung - before)
            before, others = rung, math.ceil(search.keep * (others + base))
        return steps

    @property
    def _longest(self) -> int:
        """Return the largest number of steps of a training."""
        searched = self.study.space.get("training.steps")
        longest: int = max([self.study.base.training.steps, *(searched.values if searched else ())])
        return longest

    def _wanted_by(self, shared: bool) -> list[int]:
        """Return for each training of a candidate and seed how many targets want it."""
        if shared:
            return [len(folds.judged(self.study, without)) for without in folds.trainings(self.study)]
        return [1 for target in self.targets for _ in folds.of_target(self.study, target)]

    def _cohorts(self, candidates: int) -> list[tuple[int, bool]]:
        """Return the size of each cohort, and whether all targets share its candidates."""
        batch = self.study.search.batch
        proposals = Proposals(self.study, 1)
        return [
            (min(batch, candidates - first), not proposals.learns_at(first // batch))
            for first in range(0, candidates, batch)
        ]

    @property
    def domains_read(self) -> list[str]:
        """Return the domains whose data is read: every source of a target. A single target is left out."""
        return [d for d in self.study.domains if any(target != d for target in self.targets)]
