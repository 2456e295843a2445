"""What is known of a study: its plan, its pinned data, and the figures that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tuning import choice, folds, results, sealing
from rfmeta_dist.tuning.folds import Figure, LeftOut
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.view import View, Views

STATE = "state.json"
OPENED = (
    "Before this choice was made, `rfmeta tune regret` looked at the labels of {0} ({1}), so this choice may "
    "depend on them."
)


@dataclass(frozen=True)
class State:
    """What a study's folder keeps besides its file.

    Attributes:
        code: versions of the code and content of pretrained weights, which the names of trainings depend on.
        seconds: how long the study has searched, over all starts.
        cohorts: number of cohorts that count, because `budget.hours` was spent; None if it was not.
        opened: the targets whose labels `rfmeta tune regret` has looked at. For each of them `time`, and
            `choice`, the SHA-256 of the choice file before that. It follows from the ledger (sealing.py).
    """

    code: str
    seconds: float = 0.0
    cohorts: int | None = None
    opened: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass
class Known:
    """A study whose data is pinned, to look at.

    Attributes:
        plan: the study's plan.
        folder: the study's folder.
        shared: the folder above it, which holds trainings and figures.
        manifests: fingerprint of the manifest to read, by domain.
        state: what the folder keeps.
    """

    plan: Plan
    folder: Store
    shared: Store
    manifests: Mapping[str, str]
    state: State
    _texts: dict[int, tuple[Candidate, str]] = field(
        default_factory=dict
    )  # holds the candidate, so its id lasts
    _configs: dict[tuple[str, int, LeftOut], Config] = field(default_factory=dict)
    _found: dict[str, Result] = field(default_factory=dict)
    _names: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _there: set[str] | None = None
    _failed: set[str] = field(default_factory=set)

    def view(self, target: str) -> View:
        """Return what a target knows and wants, as far as figures are there."""
        return self._views.of(target, lambda figure: self._result(target, figure), self.state.cohorts)

    def asked(self, target: str) -> list[tuple[Figure, Result]]:
        """Return the figures that a target has asked for, in order, as far as they are there."""
        found: list[tuple[Figure, Result]] = []

        def lookup(figure: Figure) -> Result | None:
            result = self._result(target, figure)
            if result is not None:
                found.append((figure, result))
            return result

        self._views.of(target, lookup, self.state.cohorts)
        return found

    @cached_property
    def _views(self) -> Views:
        return Views(self.plan.study, self.plan.total)

    def config(self, candidate: Candidate, seed: int, without: LeftOut) -> Config:
        """Return the configuration of a training."""
        text = self._texts.get(id(candidate))
        if text is None:
            text = candidate, json.dumps(dict(candidate.values), sort_keys=True)
            self._texts[id(candidate)] = text
        key = text[1], seed, without
        if key not in self._configs:
            self._configs[key] = folds.configuration(
                self.plan.study, candidate, seed, without, self.manifests, self.state.code
            )
        return self._configs[key]

    def name(self, config: Config, fold: str, step: int) -> str:
        """Return the name of a figure's object; see `results.name`."""
        key = config.run.name, fold, step
        if key not in self._names:  # hashing takes most of the time of a view otherwise
            self._names[key] = results.name(config, fold, self.manifests.get(fold, ""), step)
        return self._names[key]

    def read(self, name: str) -> Result | None:
        """Return a figure; None if it was not there at the last look.

        What failed in this study stays failed, also if another study has got the figure since: a decision that
        was made stays the same.
        """
        if name not in self._found:
            if self._there is None:
                self._failed = {
                    n.removeprefix(f"{results.FAILURES}/") for n in self.folder.list(results.FAILURES)
                }
                self._there = {*self.shared.list(results.FOLDER), *self._failed}
            if name not in self._there:
                return None
            own = name in self._failed
            result = (
                results.read(self.folder, results.failure(name)) if own else results.read(self.shared, name)
            )
            if result is None:
                return None
            self._found[name] = result
        return self._found[name]

    def look_again(self) -> None:
        """Find the figures that were stored since the last look."""
        self._there = None

    def choice_file(self, view: View) -> str:
        """Return the content of a target's choice file, which says so if the target was opened before.

        Args:
            view: what the target knows at the end of the search.

        Raises:
            RunError: no candidate came to its end.
        """
        looked_at = self.looked_at(view)
        return self._text(view, [OPENED.format(view.target, looked_at)] if looked_at else [])

    def looked_at(self, view: View) -> str:
        """Return when a target's labels were looked at, if that was before what the view chooses was chosen.

        Args:
            view: what the target knows.

        Returns:
            The time, in ISO 8601. Empty if nobody has looked, or if the choice is still the one from before.
        """
        opened = self.state.opened.get(view.target)
        if opened is None:
            return ""
        try:
            same = not view.wanted and digest(self._text(view, []).encode()) == opened["choice"]
        except RunError:  # nothing can be chosen
            same = False
        return "" if same else opened["time"]

    def _text(self, view: View, notes: Sequence[str]) -> str:
        hours = "The study was ended by budget.hours, so the choice depends on how fast the machines were."
        timed = [hours] if self.state.cohorts is not None else []
        return choice.as_yaml(self.plan.study, view, [*timed, *notes])

    def hours_left(self, at_once: int) -> float | None:
        """Return the hours that the search takes at most from now on; None before a training was measured.

        Args:
            at_once: number of trainings that run at the same time.
        """
        measured = [result for result in self._found.values() if result.steps]
        if not measured:
            return None
        pace = sum(result.seconds for result in measured) / sum(result.steps for result in measured)
        reached: dict[str, int] = {}
        for target in self.plan.targets:
            for entry in self.view(target).entries:
                for fold in folds.of_target(self.plan.study, target) if entry.rungs else ():
                    for seed in self.plan.study.seeds:
                        name = self.config(entry.candidate, seed, folds.left_out(target, fold)).run.name
                        reached[name] = max(reached.get(name, 0), *entry.rungs)
        left = self.plan.steps_of(self.plan.total) - sum(reached.values())
        return max(0, left) * pace / at_once / 3600

    def _result(self, target: str, figure: Figure) -> Result | None:
        config = self.config(figure.candidate, figure.seed, folds.left_out(target, figure.fold))
        return self.read(self.name(config, figure.fold, figure.step))


def read_state(folder: Store) -> State | None:
    """Return what a study's folder keeps; None if it keeps nothing yet.

    Raises:
        RunError: the file or the ledger is damaged.
    """
    try:
        kept = json.loads(folder.read(STATE))
        return State(**{**kept, "opened": sealing.openings(folder)})
    except MissingError:
        return None
    except (ValueError, TypeError) as error:
        raise RunError(
            f"{folder.url}/{STATE} is damaged", "delete this file and give the same `rfmeta tune` again"
        ) from error
