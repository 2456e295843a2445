"""Say how a study stands: what was done, what is wanted, what was saved, and how each candidate does.

`rfmeta tune show` and the study's page show the same figures, and both take them from here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.choice import best
from rfmeta_dist.tuning.folds import Figure
from rfmeta_dist.tuning.known import Known
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.view import Entry, View

Asked = Mapping[str, Sequence[tuple[Figure, Result]]]
Training = tuple[str, int, folds.LeftOut]  # a candidate's values, the seed, and the domains left out


@dataclass(frozen=True)
class Effort:
    """What a study took, and what it would have taken. Trainings that another study did count as well.

    The steps that the targets would have needed if each trained for itself, and every candidate to its end, are
    `steps + saved_by_stopping + saved_by_sharing`.

    Attributes:
        trainings: trainings of which a target has a figure.
        complete: those of them that came to their planned end.
        stopped: those that no target trains on, though they have not come to their end or failed.
        wanted: trainings that a target wants to begin or to go on now.
        asked: trainings that the targets have asked for, counted for each target: what `trainings` would be if
            targets did not share them.
        steps: training steps done, up to the last figure of each training.
        saved_by_stopping: steps that were left out because candidates were stopped early.
        saved_by_sharing: steps that several targets would each have done.
    """

    trainings: int
    complete: int
    stopped: int
    wanted: int
    asked: int
    steps: int
    saved_by_stopping: int
    saved_by_sharing: int


@dataclass
class _Done:
    """One training, as the targets that asked for it see it."""

    end: int
    reached: int = 0
    failed: bool = False
    stopped: bool = False  # by a target
    live: bool = False  # a target may want it to go on
    targets: set[str] = field(default_factory=set)

    @property
    def cut(self) -> bool:
        """Return True if it stays short of its end because targets stopped it."""
        return self.stopped and not self.live and not self.failed and self.reached < self.end


@dataclass(frozen=True)
class Standing:
    """How a study stands.

    Attributes:
        known: the study.
        views: what each target knows, by target.
        asked: the figures that each target has asked for and that are there, by target.
    """

    known: Known
    views: Mapping[str, View]
    asked: Asked

    @property
    def study(self) -> Study:
        """Return the study."""
        return self.known.plan.study

    @property
    def over(self) -> bool:
        """Return True if no target wants a figure any more."""
        return not any(view.wanted for view in self.views.values())

    @property
    def ended_by_hours(self) -> bool:
        """Return True if `budget.hours` has kept the study from beginning further cohorts."""
        return self.known.state.cohorts is not None

    def chosen(self, target: str) -> Entry | None:
        """Return the best candidate so far; None if none has come to its end, or the target was stopped."""
        try:
            return best(self.study, self.views[target])
        except RunError:
            return None

    def state(self, target: str, entry: Entry) -> str:
        """Return the state of a target's candidate.

        Returns:
            `complete`, `stopped`, `failed`, `wanted` if trainings of it are wanted, `waiting` if it waits for
            others of its cohort, or `left` if it is not trained on because the target was stopped.
        """
        if not entry.undecided:
            return "failed" if entry.failed else "complete" if entry.value is not None else "stopped"
        view = self.views[target]
        if view.problem:
            return "left"
        wanted = any(figure.candidate.number == entry.candidate.number for figure in view.wanted)
        return "wanted" if wanted else "waiting"

    def effort(self) -> Effort:
        """Return what the study took so far."""
        done = self._done()
        begun = [one for one in done.values() if one.reached]
        full = [one.end if one.cut else one.reached for one in begun]
        wanted = {_key(target, figure) for target, view in self.views.items() for figure in view.wanted}
        return Effort(
            trainings=len(begun),
            complete=sum(one.reached == one.end and not one.failed for one in begun),
            stopped=sum(one.cut for one in begun),
            wanted=len(wanted),
            asked=sum(len(one.targets) for one in begun),
            steps=sum(one.reached for one in begun),
            saved_by_stopping=sum(all_ - one.reached for all_, one in zip(full, begun, strict=True)),
            saved_by_sharing=sum(all_ * (len(one.targets) - 1) for all_, one in zip(full, begun, strict=True)),
        )

    def _done(self) -> dict[Training, _Done]:
        done: dict[Training, _Done] = {}
        for target, figures in self.asked.items():
            for figure, result in figures:
                one = done.setdefault(_key(target, figure), _Done(last_step(self.study, figure.candidate)))
                one.reached = max(one.reached, figure.step)
                one.failed |= bool(result.failed)
                one.targets.add(target)
        for target, view in self.views.items():
            for entry in view.entries:
                for key in self._trainings(target, entry):
                    if key in done:
                        done[key].stopped |= entry.stopped is not None
                        done[key].live |= entry.undecided and not view.problem
        return done

    def _trainings(self, target: str, entry: Entry) -> Iterator[Training]:
        for seed in self.study.seeds:
            for fold in folds.of_target(self.study, target):
                yield _key(target, Figure(entry.candidate, seed, fold, 0))


def stand(known: Known) -> Standing:
    """Look at a study, and return how it stands."""
    views = {target: known.view(target) for target in known.plan.targets}
    return Standing(known, views, {target: known.asked(target) for target in views})


def last_step(study: Study, candidate: Candidate) -> int:
    """Return the number of steps of a candidate's trainings."""
    steps: int = candidate.values.get("training.steps", study.base.training.steps)
    return steps


def short_names(study: Study) -> dict[str, str]:
    """Return each field of the space without its section, if that is enough to tell the fields apart."""
    last = [field.rpartition(".")[2] for field in study.space]
    return {
        field: name if last.count(name) == 1 else field for field, name in zip(study.space, last, strict=True)
    }


def as_dict(standing: Standing) -> dict[str, Any]:
    """Return all that is known of a study, for JSON."""
    study, plan, effort = standing.study, standing.known.plan, standing.effort()
    return {
        "study": standing.known.folder.url,
        "name": study.name,
        "metric": study.metric,
        "selection": study.selection,
        "search": study.search.model_dump(mode="json"),
        "budget": study.budget.model_dump(mode="json"),
        "seeds": list(study.seeds),
        "candidates": plan.total,
        "hours": standing.known.state.seconds / 3600,
        "over": standing.over,
        "ended_by_hours": standing.ended_by_hours,
        "trainings": {
            "at_most": plan.trainings,
            "begun": effort.trainings,
            "complete": effort.complete,
            "stopped": effort.stopped,
            "wanted": effort.wanted,
            "saved_by_sharing": effort.asked - effort.trainings,
        },
        "steps": {
            "at_most": plan.steps_of(plan.total),
            "done": effort.steps,
            "saved_by_stopping": effort.saved_by_stopping,
            "saved_by_sharing": effort.saved_by_sharing,
        },
        "targets": {target: _target(standing, target) for target in standing.views},
    }


def _target(standing: Standing, target: str) -> dict[str, Any]:
    view, chosen = standing.views[target], standing.chosen(target)
    return {
        "problem": view.problem,
        "wanted": len(view.wanted),
        "best": None if chosen is None else chosen.candidate.number,
        "score": None if chosen is None else chosen.value,
        "base": view.entries[0].value if view.entries else None,
        "candidates": [_entry(standing, target, entry) for entry in view.entries],
    }


def _entry(standing: Standing, target: str, entry: Entry) -> dict[str, Any]:
    return {
        "candidate": entry.candidate.number,
        "values": dict(entry.candidate.values),
        "cohort": entry.cohort,
        "state": standing.state(target, entry),
        "stopped": entry.stopped,
        "failed": entry.failed,
        "kind": entry.kind,
        "scores": {str(step): score for step, score in entry.told.rungs.items()},
        "folds": {str(step): dict(by_fold) for step, by_fold in entry.rungs.items()},
        "score": entry.value,
    }


def _key(target: str, figure: Figure) -> Training:
    values = json.dumps(dict(figure.candidate.values), sort_keys=True)
    return values, figure.seed, folds.left_out(target, figure.fold)
