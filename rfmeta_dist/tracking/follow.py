"""Show runs in trackers while they train, and again when they have ended.

A tracker that fails ends nothing: it is told once, and tried again later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import InstallationError
from rfmeta_dist.core.periodic import periodically
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tracking import record
from rfmeta_dist.tracking.mlflow import MLflow
from rfmeta_dist.tracking.record import Record
from rfmeta_dist.tracking.tensorboard import TensorBoard

News = dict[str, Any]
Say = Callable[[str], None]
EVERY_S = 5.0  # seconds between two deliveries
RETRY_S = 60.0  # seconds for which a tracker that failed is left alone


class Tracker(Protocol):
    """Shows one run in one place.

    Attributes:
        name: names the place in messages.
    """

    name: str

    def show(self, rows: list[StepRow]) -> None:
        """Show the metrics of steps. Some may have been shown before, and some may be missing."""

    def finish(self, found: Record) -> None:
        """Show all that is known of the run."""


def trackers(config: Config, folder: Store) -> list[Tracker]:
    """Return what shows a run, as its section `tracking` asks for.

    Raises:
        InstallationError: a package for it is not installed.
    """
    found: list[Tracker] = []
    if config.tracking.mlflow:
        _require("mlflow")
        found.append(MLflow(config, folder))
    if config.tracking.tensorboard:
        _require("tensorboard")
        found.append(TensorBoard(folder, config.training.steps))
    return found


def _require(module: str) -> None:
    if find_spec(module) is None:
        raise InstallationError(
            f"tracking.{module} is set, but the package for it is not installed",
            f"install it with: pip install 'rfmeta_dist[track]', or remove tracking.{module}",
        )


class Guard:
    """Calls trackers. One that fails is told once, and left alone for a while.

    Args:
        say: called with each message for the user.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._silent: dict[str, float] = {}  # name of a tracker → when it is tried again

    def call(self, tracker: Tracker, do: Callable[[], None]) -> bool:
        """Call `do`, which uses the tracker. Return True if that succeeded."""
        if time.monotonic() < self._silent.get(tracker.name, 0.0):
            return False
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever a tracker does, the training goes on
            if tracker.name not in self._silent:
                first = (masked(str(error)).strip().splitlines() or [type(error).__name__])[0]
                self._say(f"{tracker.name} cannot be used: {first[:300]}; nothing else depends on it")
            self._silent[tracker.name] = time.monotonic() + RETRY_S
            return False
        return True


class _Followed:
    """One run whose news is passed on."""

    def __init__(self, config: Config, guard: Guard) -> None:
        self.config, self._guard = config, guard
        self.folder = open_folder(config)
        self._waiting = {tracker.name: (tracker, list[StepRow]()) for tracker in trackers(config, self.folder)}
        self._lock = threading.Lock()

    def take(self, row: StepRow) -> None:
        with self._lock:
            for _, rows in self._waiting.values():
                rows.append(row)

    def deliver(self) -> None:
        for tracker, rows in self._waiting.values():
            with self._lock:
                ready = list(rows)
            if ready and self._guard.call(tracker, partial(tracker.show, ready)):
                with self._lock:
                    del rows[: len(ready)]

    def finish(self) -> bool:
        shown = [tracker for tracker, _ in self._waiting.values()]
        return finished(self.config, self.folder, self._guard, shown)


def finished(config: Config, folder: Store, guard: Guard, shown: list[Tracker]) -> bool:
    """Show all that is known of a run. Return True if every tracker has it."""
    found: list[Record] = []

    def read_and_show(tracker: Tracker) -> None:
        if not found:
            found.append(record.read(config, folder))
        tracker.finish(found[0])

    return all([guard.call(tracker, partial(read_and_show, tracker)) for tracker in shown])  # noqa: C419 - all of them


def show_again(config: Config, folder: Store, say: Say) -> None:
    """Show all that is known of a run in its trackers, if it has any. Failures are told, and not raised."""
    try:
        shown = trackers(config, folder)
    except InstallationError as error:  # the run may have been trained on another machine
        say(f"the run's figures are not shown elsewhere, because {error.problem}; {error.remedy}")
        return
    finished(config, folder, Guard(say), shown)


@contextmanager
def followed(
    runs: Mapping[str, Config], on_news: Callable[[News], None], say: Say
) -> Iterator[Callable[[News], None]]:
    """Yield a function that passes on news to `on_news` and to the trackers of its run.

    At the end of the context, all that is known of each run is shown.

    Args:
        runs: configurations by the label of their news.
        on_news: called with each row.
        say: called with each message for the user.
    """
    guard = Guard(say)
    found = {label: _Followed(run, guard) for label, run in runs.items() if run.tracking.wanted}
    if not found:
        yield on_news
        return

    def take(row: News) -> None:
        on_news(row)
        if row["label"] in found and "state" not in row:
            kept = {name: value for name, value in row.items() if name not in ("label", "steps")}
            found[row["label"]].take(kept)

    def deliver() -> None:
        for run in found.values():
            run.deliver()

    try:
        with periodically(EVERY_S, deliver):
            yield take
    finally:
        deliver()
        left = [run.folder.url for run in found.values() if not run.finish()]
        if left:
            say(
                f"not all figures of {len(left)} run(s) could be shown; when the tracker can be reached again, "
                f"give: rfmeta report {left[0]}"
            )
