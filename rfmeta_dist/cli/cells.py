"""Plan a leave-one-out: its runs, what is found of them in their folders, and how long they will take.

Neither Ray nor data is needed. Folders that cannot be reached are left out of the plan.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli.live import DONE, FAILED, JUDGING, TRAINED, WAITING, News, duration
from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.s3 import S3Store
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Config

Labels = Mapping[str, Sequence[str]]
LATER = "reason at the end"


@dataclass(frozen=True)
class Found:
    """What a run's folder holds.

    Attributes:
        state: `waiting` if the run has no model, `trained` if it has one, `done` if it was judged too.
        evaluation: the content of evaluation.json; empty if there is none.
        validation: HTER per video on the sources' validation splits; None if the run has no model.
    """

    state: str = WAITING
    evaluation: bytes = b""
    validation: float | None = None


def labelled(run: Config, labels: Labels) -> dict[str, Any]:
    """Return what a run's cell in JSON has beside the other fields if the runs have labels."""
    return {"configuration": list(labels[run.run.name])} if labels else {}


def find(run: Config) -> Found:
    """Read what the folder of a run holds.

    Raises:
        RunError: the folder belongs to another run.
        StorageError: the folder cannot be read.
    """
    from rfmeta_dist.runs.folder import MODEL, is_started

    folder = _hasty(run)
    if not is_started(folder, run) or not (package := _read(folder, MODEL)):
        return Found()
    evaluation = _read(folder, "evaluation.json")
    return Found(DONE if evaluation else TRAINED, evaluation, _validation(package))


def change(run: Config, before: Found) -> News | None:
    """Return a change of a run's state since `before`, as `live_table` expects it; None if there is none.

    Raises:
        StorageError: the folder cannot be read.
    """
    from rfmeta_dist.runs.folder import MODEL

    folder = _hasty(run)
    holder = lease.Holder.parse(_read(folder, lease.NAME))
    free = holder is None or holder.released
    package, evaluation = _read(folder, MODEL), _read(folder, "evaluation.json")
    if evaluation and evaluation != before.evaluation:
        return {"state": DONE, "validation": _validation(package)}
    if package and not (free and holder and holder.doing == "judged"):
        return {"state": JUDGING, "validation": _validation(package)}
    return {"state": FAILED, "reason": LATER} if free and holder else None


def _hasty(run: Config) -> Store:
    """Return a run's folder. Requests to a store that does not answer end after seconds, not minutes."""
    from rfmeta_dist.runs.folder import open_folder

    folder = open_folder(run)
    return replace(folder, patience=lease.HASTE) if isinstance(folder, S3Store) else folder


def _read(folder: Store, name: str) -> bytes:
    try:
        return folder.read(name)
    except MissingError:
        return b""


def _validation(package: bytes) -> float | None:
    try:
        return float(json.loads(package)["thresholds"]["video"]["eer"])
    except (ValueError, KeyError, TypeError):  # damaged, or from another version: judging says so
        return None


@dataclass(frozen=True)
class Plan:
    """The runs of a leave-one-out and what is known of them before it starts.

    Attributes:
        runs: the runs.
        slots: CPUs of the local cluster; None if the runs go to another cluster.
        found: what the folder of each run holds, by the run's name; empty if the folders cannot be read.
        seconds: seconds for which one finished run of each method was trained, by the method.
        problem: why the folders cannot be read; empty if they can.
        labels: names under which a run's figures are shown in place of its method's, by the run's name.
        kept: True if runs that are finished are left as they are; False if they are judged again.
    """

    runs: Sequence[Config]
    slots: int | None
    found: Mapping[str, Found] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    labels: Labels = field(default_factory=dict)
    kept: bool = False

    @property
    def columns(self) -> tuple[str, str, str]:
        """Return the heads of the columns that say which run a line is."""
        return "target", "configuration" if self.labels else "method", "seed"

    def names(self, run: Config) -> tuple[str, str, str]:
        """Return target, method or label, and seed of a run as texts."""
        shown = self.labels.get(run.run.name, (run.method.name,))
        target = str(run.data.target)
        others = (other.data for other in self.runs if other.data.target == run.data.target)
        if any(set(other.sources) != set(run.data.sources) for other in others):
            target = run.data.protocol  # the runs differ in their sources too
        return target, ", ".join(shown), str(run.training.seed)

    @property
    def workers(self) -> int:
        """Return the largest number of workers of a run."""
        return max(run.training.workers for run in self.runs)

    @property
    def at_once(self) -> int | None:
        """Return how many runs can train at once on the local cluster, or None on another cluster."""
        if self.slots is None:
            return None
        return min(len(self.runs), max(1, self.slots // self.workers))

    @property
    def finished(self) -> int | None:
        """Return how many runs are trained and judged already, or None if that is not known."""
        return None if self.problem else sum(found.state == DONE for found in self.found.values())

    @property
    def expected(self) -> float | None:
        """Estimate the seconds of training that are left, from runs that are finished; None without any."""
        if not self.seconds or not self.at_once:
            return None
        usual = sum(self.seconds.values()) / len(self.seconds)
        work = [self.seconds.get(r.method.name, usual) for r in self.runs if self._state(r) == WAITING]
        return max([sum(work) / self.at_once, *work])

    def evaluations(self) -> dict[str, dict[str, Any]]:
        """Return the content of evaluation.json of each finished run, by its name, as far as it can be read."""
        from rfmeta_dist.report.records import require_target

        read: dict[str, dict[str, Any]] = {}
        for run in self.runs:
            with suppress(ValueError, KeyError, TypeError, RunError):  # it is judged again, then
                found = json.loads(self.found.get(run.run.name, Found()).evaluation)
                require_target(found, run, run.run.name)
                read[run.run.name] = found
        return read

    def _state(self, run: Config) -> str:
        return self.found.get(run.run.name, Found()).state

    def news(self) -> list[News]:
        """Return the states that were found, as `live_table` expects them."""
        return [
            {"label": name, "state": found.state, "validation": found.validation}
            for name, found in self.found.items()
        ]

    def sentence(self) -> str:
        """Return the plan in words."""
        kinds = zip(self.columns, zip(*map(self.names, self.runs), strict=True), strict=True)
        counts = [(len(set(values)), kind) for kind, values in kinds]
        sign = " × " if math.prod(count for count, _ in counts) == len(self.runs) else ", "
        parts = [f"{_many(len(self.runs), 'run')} ({sign.join(_many(*count) for count in counts)})"]
        most = "" if all(run.training.workers == self.workers for run in self.runs) else "at most "
        parts[0] += f" with {most}{_many(self.workers, 'worker')} each"
        at_once = f"at most {self.at_once} at once" if self.at_once else "as many at once as the cluster holds"
        parts.append(at_once)
        if self.problem:
            parts.append(f"whether some are finished is not known, because {self.problem}")
        elif self.finished:
            are = "is" if self.finished == 1 else "are"
            then = "kept" if self.kept else "only judged again"
            parts.append(f"{self.finished} of them {are} finished, and {are} {then}")
        if self.expected:
            parts.append(f"about {duration(self.expected)} of training are left, as the finished runs took")
        elif self.seconds and self.expected is None:
            parts.append(f"a finished run was trained for {duration(max(self.seconds.values()))}")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as values that JSON can represent."""
        return {
            "runs": len(self.runs),
            "workers": self.workers,
            "at_once": self.at_once,
            "finished": self.finished,
            "seconds": self.expected,
            "problem": self.problem,
            "cells": [
                {
                    "run": run.run.name,
                    "target": run.data.target,
                    "method": run.method.name,
                    "seed": run.training.seed,
                    "state": None if self.problem else self._state(run),
                    **labelled(run, self.labels),
                }
                for run in self.runs
            ],
        }

    def rows(self) -> list[list[str]]:
        """Return a row for each target and method: target, method, seeds, and how many are finished."""
        groups: dict[tuple[str, str], list[Config]] = {}
        for run in self.runs:
            groups.setdefault(self.names(run)[:2], []).append(run)
        return [
            [*group, ", ".join(self.names(run)[2] for run in runs), self._finished_of(runs)]
            for group, runs in groups.items()
        ]

    def _finished_of(self, runs: Sequence[Config]) -> str:
        if self.problem:
            return "not known"
        return f"{sum(self._state(run) == DONE for run in runs)} of {len(runs)}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def planned(runs: Sequence[Config], slots: int, address: str | None, labels: Labels | None = None) -> Plan:
    """Return the plan of some runs, with what their folders hold as far as they can be read.

    Args:
        runs: the runs.
        slots: CPUs of the local cluster, if one is used.
        address: the cluster to use instead of a local one; the environment variable RAY_ADDRESS if None.
        labels: see `Plan`.

    Raises:
        RunError: the folder of a run belongs to another run.
    """
    labels = labels or {}
    there = None if address or os.environ.get("RAY_ADDRESS") else slots
    try:
        found = {run.run.name: find(run) for run in runs}
        return Plan(runs, there, found, _measured(runs, found), labels=labels)
    except StorageError as error:
        return Plan(runs, there, problem=error.problem, labels=labels)
    except ModuleNotFoundError as error:
        return Plan(runs, there, problem=f"the package {error.name} is not installed", labels=labels)


def _measured(runs: Sequence[Config], found: Mapping[str, Found]) -> dict[str, float]:
    """Return the seconds of training of the first trained run of each method, by the method."""
    measured: dict[str, float] = {}
    for run in runs:
        if found[run.run.name].state == WAITING or run.method.name in measured:
            continue
        try:
            measured[run.method.name] = _seconds(run)
        except (ValueError, KeyError, TypeError):  # damaged: the plan does without it
            continue
    return {method: seconds for method, seconds in measured.items() if seconds}


def _seconds(run: Config) -> float:
    """Return the seconds of a run's training: the sum over its steps, or those of fitting its classifier."""
    if run.method.facts.kind == "features":
        from rfmeta_dist.runs.folder import MODEL

        return float(json.loads(_read(_hasty(run), MODEL))["classifier"]["seconds"])
    rows = [json.loads(line) for line in _read(_hasty(run), "metrics.jsonl").splitlines()]
    return sum(float(row["seconds"]) for row in rows)
