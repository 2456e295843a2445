"""`rfmeta leave-one-out`: train and judge a run for each target domain, in lanes.

Each run has a folder and a lease of its own and resumes by its name, so an interrupted leave-one-out continues
when it is started again, and any of its runs by `rfmeta train` too. This process holds the leases: if it is
killed, the runs can continue at once on the same machine.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.cluster import features, room, streams, whole_run
from rfmeta_dist.cluster.dispatch import dispatch
from rfmeta_dist.cluster.errors import explained, led
from rfmeta_dist.cluster.monitor import DONE, FAILED, JUDGING, News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.cluster.room import at_once
from rfmeta_dist.cluster.work import End
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.runs import folder as runs_folder
from rfmeta_dist.storage import lease
from rfmeta_dist.tracking.follow import followed
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import RESTARTS

# Runs of hand-made features that are fitted at the same time. Each holds its features in this process, about a
# gigabyte, and spreads its fits over the cluster in any case.
FITTED_AT_ONCE = 4


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run of a leave-one-out.

    Attributes:
        config: the run's configuration.
        started: seconds from the beginning of the leave-one-out to the run's start; NaN if the run failed.
        ended: seconds from the beginning of the leave-one-out to the run's end; NaN if the run failed.
        evaluation: the content of evaluation.json; empty if the run failed.
        error: the error that ended the run; None if it succeeded.
    """

    config: Config
    started: float = math.nan
    ended: float = math.nan
    evaluation: dict[str, Any] = field(default_factory=dict)
    error: RfmetaError | None = None


def leave_one_out(
    runs: Sequence[Config],
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = log_notice,
    local: bool,
) -> list[Outcome]:
    """Train and judge runs, as many at once as the cluster holds. A run that fails does not stop the others.

    A run that has a model already is only judged.

    Args:
        runs: from `config.held_out.targets_of`, each with another name. Runs that need other workers than the
            first one are begun when all runs with its workers have ended.
        on_news: called with the row of each step of each run, in which `label` is the run's name, and with
            changes of a run's state: `label`, `state` (`judging`, `done` or `failed`), and `validation` (HTER
            by video on the sources' validation splits, in [0, 1]) or `reason`.
        on_notice: called with each message for the user, which begins with the run's name.
        local: True if this process started the cluster.

    Returns:
        The outcome of each run, in the order of `runs`.

    Raises:
        ClusterError: the cluster can never hold even one run, or has no slots for one within
            `training.wait_s` seconds.
    """
    learned = [run for run in runs if run.method.facts.kind == "gradient"]
    made = [run for run in runs if run.method.facts.kind == "features"]
    together = at_once(learned, on_notice) if learned else 0
    monitor, clock = start_monitor(), time.time()
    actors = streams.start(learned, min(together, len(learned))) if learned else {}
    found: dict[str, Outcome] = {}
    labelled = {run.run.name: run for run in runs}
    with followed(labelled, on_news, on_notice) as shown, watched(monitor, shown, on_notice):
        for alike in _by_workers(learned):
            with closing(WholeRuns(alike, actors, monitor, clock)) as work:
                try:
                    dispatch(work, work.orders(), together, on_notice, local=local)
                except RfmetaError as error:  # no lane could be started any more
                    work.give_up(error)
                found |= work.outcomes
        found |= _fitted(made, monitor, clock, on_notice)
    return [found[run.run.name] for run in runs]


def _fitted(
    runs: Sequence[Config], monitor: Any, clock: float, on_notice: Callable[[str], None]
) -> dict[str, Outcome]:
    """Fit and judge runs of hand-made features, as many at once as the cluster has CPUs.

    They need no lanes, because tasks do their work; this process only hands it out.
    """
    if not runs:
        return {}

    def tell(name: str, row: News) -> None:
        monitor.push.remote([{"label": name, **row}])

    def one(run: Config) -> Outcome:
        name, started = run.run.name, time.time()
        try:
            with explained(f"run {name} failed"):
                result = features.whole_run(
                    run,
                    lambda text: on_notice(f"{name}: {text}"),
                    lambda: tell(name, {"state": JUDGING}),
                )
        except RfmetaError as error:
            tell(name, {"state": FAILED, "reason": error.problem})
            return Outcome(run, error=error)
        tell(name, {"state": DONE, "validation": result["figures"]["video"]["source_validation_EER"]})
        return Outcome(run, started - clock, time.time() - clock, result)

    with ThreadPoolExecutor(min(FITTED_AT_ONCE, len(runs), max(1, room.most(room.SLOT)))) as pool:
        return {outcome.config.run.name: outcome for outcome in pool.map(one, runs)}


def _by_workers(runs: Sequence[Config]) -> Iterator[list[Config]]:
    """Yield runs that the same workers can do, one after another."""
    groups: dict[tuple[Any, ...], list[Config]] = {}
    for run in runs:
        one = run.training
        layout = one.workers, one.gpus, one.threads, one.strategy, one.deterministic
        groups.setdefault(layout, []).append(run)
    yield from groups.values()


@dataclass
class _Cell:
    """What this process holds of a run that a lane does."""

    stack: ExitStack = field(default_factory=ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)
    started: float = math.nan
    token: str = ""
    task: whole_run.Task | None = None


class WholeRuns:
    """The runs of a leave-one-out that need the same workers; see `dispatch.Work`.

    Args:
        runs: the runs.
        actors: actors that read all their domains.
        monitor: handle of the actor that collects rows and messages for this process.
        clock: when the leave-one-out began, as `time.time()`.
    """

    name = "leave-one-out"

    def __init__(self, runs: Sequence[Config], actors: streams.Actors, monitor: Any, clock: float) -> None:
        self._runs = {run.run.name: run for run in runs}
        self._cells = {name: _Cell() for name in self._runs}
        self._actors, self._monitor, self._clock = actors, monitor, clock
        self.outcomes: dict[str, Outcome] = {}

    def orders(self) -> Sequence[Order]:
        """Return an order for each run that has not ended: to train to the last step, and judge the run."""
        left = [run for name, run in self._runs.items() if name not in self.outcomes]
        return [Order(run, run.training.steps, {}) for run in left]

    def task(self, order: Order) -> whole_run.Task:
        """Take the run's lease, check its data, claim its folder, and return its task.

        Raises:
            RunError: another process is training or judging this run, or the folder belongs to another run.
            RfmetaError: a domain cannot be used, or the folder cannot be written.
        """
        config = order.config
        folder, cell = runs_folder.open_folder(config), self._cells[config.run.name]
        with cell.lock:
            if math.isnan(cell.started):
                cell.started = time.time()
            runs_folder.is_started(folder, config)  # before a lease is written into another run's folder
            if not cell.token:
                doing = "judged" if folder.exists(runs_folder.MODEL) else "trained"
                cell.token = cell.stack.enter_context(lease.held(folder, doing)).token
            manifests, training = prepare(config).manifests, None
            if not folder.exists(runs_folder.MODEL):
                given = config.run.name, self._monitor, self._actors
                training = whole_run.assignment(config, manifests, cell.token, *given)
            cell.task = whole_run.Task(config, cell.token, self._monitor, training)
            return cell.task

    def ended(self, order: Order, end: End) -> None:
        """Keep the outcome of a run, tell it, and give the run's lease back."""
        name, cell = order.config.run.name, self._cells[order.config.run.name]
        if end.error is None:
            self.outcomes[name] = Outcome(
                order.config, cell.started - self._clock, time.time() - self._clock, end.result
            )
            validation = end.result["figures"]["video"]["source_validation_EER"]
            self._tell(name, {"state": DONE, "validation": validation})
        else:
            self._failed(order.config, _explained(order.config, end.error, end.kind))
            self._count(cell)
        cell.stack.close()

    def give_up(self, error: RfmetaError) -> None:
        """Let all runs that have not ended fail with this error."""
        for order in self.orders():
            self._failed(order.config, error)

    def close(self) -> None:
        """Give all leases back."""
        for cell in self._cells.values():
            cell.stack.close()

    def _failed(self, config: Config, error: RfmetaError) -> None:
        self.outcomes[config.run.name] = Outcome(config, error=error)
        self._tell(config.run.name, {"state": FAILED, "reason": error.problem})

    def _count(self, cell: _Cell) -> None:
        """Close the streams of a training that has failed, and add what they read to the run's totals."""
        if cell.task and cell.task.assignment:
            with suppress(RfmetaError):  # the error that ended the run is reported
                lease.require(cell.task.assignment.leased, cell.token)
                totals = streams.close(cell.task.assignment.streams)
                runs_folder.add_streams(cell.task.assignment.leased, totals)

    def _tell(self, name: str, row: News) -> None:
        self._monitor.push.remote([{"label": name, **row}])


def _explained(config: Config, error: RfmetaError, kind: str) -> RfmetaError:
    if kind != RESTARTS:
        return error
    folder, restarts = runs_folder.open_folder(config).url, config.training.restarts
    return led(error, f"training of {folder} failed after {restarts} restart(s) without a new checkpoint")


def timeline(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line with the start and end of each finished run, which shows what ran at the same time."""
    finished = [o for o in outcomes if o.error is None]
    return [
        f"{o.config.run.name}: {o.started:6.0f} s → {o.ended:6.0f} s"
        for o in sorted(finished, key=lambda o: o.started)
    ]
