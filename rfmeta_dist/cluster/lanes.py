"""Run lanes: workers of Ray Train that do one task after another, without starting again in between.

A lane is a trial of Ray Tune. The trial starts the lane's workers, and starts them again when they fail. It
reserves no slots, because the workers take them. A lane is started whenever more tasks wait than lanes are
free, so a command in which few trainings are left starts few lanes.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol

import ray
import ray.train
import torch
from ray import tune

from rfmeta_dist.cluster.errors import explained, got, led, ours, out_of_memory
from rfmeta_dist.cluster.fit import START_TIMEOUT, no_room, trainer
from rfmeta_dist.cluster.queue import Event
from rfmeta_dist.cluster.tasks import Doing, Refused
from rfmeta_dist.cluster.worker import full_disk_explained
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DivergedError, RfmetaError
from rfmeta_dist.verification.certificate import Proofs

NOTHING = {"node:__internal_head__": 0.001}  # trials run on the head and take no slot
LEAVE_S = 10.0  # seconds that lanes have to end by themselves when there are no more tasks
PENDING = (
    "TUNE_MAX_PENDING_TRIALS_PG"  # how many trials of a searcher may start at the same time; one by default
)


@dataclass(frozen=True)
class Given:
    """What all lanes are given.

    Attributes:
        layout: a configuration that says how many workers a lane has, and what each takes.
        queue: handle of the queue of tasks.
        local: True if the driver started the cluster (see session.py).
    """

    layout: Config
    queue: Any
    local: bool


class Demand(Protocol):
    """What the driver knows about its need of lanes. Another thread updates it than the one that asks."""

    def wants_lane(self, alive: int) -> bool:
        """Return True if one more lane is to be started beside `alive` ones."""

    def left(self, lane: int, crashed: bool) -> None:
        """Take note that a lane's trial has ended, or has crashed."""

    def closed_s(self) -> float | None:
        """Return for how many seconds there have been no more tasks; None if there are."""


def fit(given: Given, demand: Demand) -> None:
    """Run as many lanes as are wanted, until there are no more tasks.

    Args:
        given: what the lanes are given.
        demand: says when a lane is to be started, and when all are to end.

    Raises:
        Exception: what Ray Tune raises.
    """
    os.environ.setdefault(PENDING, "64")

    with tempfile.TemporaryDirectory(prefix="rfmeta-tune-") as folder:
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(_trial, given=given), tune.PlacementGroupFactory([NOTHING])
            ),
            tune_config=tune.TuneConfig(search_alg=_Starts(demand), num_samples=-1, reuse_actors=False),
            run_config=tune.RunConfig(name="lanes", storage_path=folder, verbose=0, stop=_End(demand)),
        ).fit()


class _Starts(tune.search.Searcher):  # type: ignore[misc]  # Ray is not typed
    """Proposes a trial, which is a lane, whenever the driver wants one."""

    def __init__(self, demand: Demand) -> None:
        super().__init__()
        self._demand, self._started = demand, 0
        self._alive: dict[str, int] = {}  # trial → lane

    def suggest(self, trial_id: str) -> Any:
        if self._demand.closed_s() is not None:
            return self.FINISHED
        if not self._demand.wants_lane(len(self._alive)):
            return None
        self._started += 1
        self._alive[trial_id] = self._started
        return {"lane": self._started}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        if (lane := self._alive.pop(trial_id, None)) is not None:
            self._demand.left(lane, error)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a study that is interrupted goes on from its figures."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing; see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its settings, and the demand is of this process


class _End(tune.Stopper):  # type: ignore[misc]
    """Ends lanes that wait for slots, or do a task that nobody wants any more."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand

    def __call__(self, trial_id: str, result: Any) -> bool:  # noqa: ARG002
        return False

    def stop_all(self) -> bool:
        closed = self._demand.closed_s()
        return closed is not None and closed > LEAVE_S

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _trial(config: dict[str, Any], given: Given) -> None:
    _drive(given, config["lane"])
    tune.report({"done": True})


def _drive(given: Given, lane: int) -> None:
    """Start a lane's workers, and again whenever they fail, until there are no more tasks.

    The lane ends early if its workers get no slots, or if they fail again and again before they have a task.
    """
    config, without = given.layout, 0
    os.environ[START_TIMEOUT] = str(config.training.wait_s)
    with tempfile.TemporaryDirectory(prefix="rfmeta-ray-") as scratch:
        for start in count():
            name = f"{lane}.{start}"
            try:
                with explained():
                    told = {"name": name, "given": given}
                    trainer(work, told, config, scratch, local=given.local, restarts=0).fit()
                return
            except RfmetaError as error:
                if late := no_room(error.__cause__ or error, config):
                    got(given.queue.tell.remote(Event("ended", name, late)))
                    return
                had_task = got(given.queue.tell.remote(Event("lost", name, error, out_of_memory(error))))
                without = 0 if had_task else without + 1
                if without > config.training.restarts:
                    got(
                        given.queue.tell.remote(
                            Event("ended", name, led(error, "the workers of a lane failed"))
                        )
                    )
                    return
            if got(given.queue.closed.remote()):
                return


def work(told: dict[str, Any]) -> None:
    """Do one task after another, as one of a lane's workers. Ray Train calls this function on every worker.

    Args:
        told: `name` of the lane's start, and what it is `given`.

    Raises:
        Exception: an error after which the lane's workers must start again.
    """
    name, given = told["name"], told["given"]
    first, proofs = ray.train.get_context().get_world_rank() == 0, Proofs()
    for number in count():
        task = got(given.queue.take.remote(name, number, first))
        if task is None:
            return
        if isinstance(task, Refused):
            event = Event("done", name, task.error)
        else:
            event = _do(task.begin(first=first), name, proofs, given)
        if first:
            got(given.queue.tell.remote(event))
        del task, event
        _forget()


def _do(doing: Doing, lane: str, proofs: Proofs, given: Given) -> Event:
    """Do one task, and return what to tell the driver.

    Raises:
        Exception: the other workers may be waiting for this one, or the error is not understood.
    """
    try:
        with full_disk_explained():
            trained = doing.train(proofs)
    except DivergedError as error:
        return _finish(doing, lane, partial(doing.diverged, error))
    except Exception as error:
        event = _failed(lane, error)
        if event is None:
            raise
        if given.layout.training.workers > 1:  # the others wait in a sum, until they are ended
            got(given.queue.tell.remote(event))
            raise
        return event
    return _finish(doing, lane, partial(doing.judge, trained))


def _finish(doing: Doing, lane: str, end: Callable[[], Any]) -> Event:
    """Do what the first worker alone does at the end of a task."""
    if not doing.first:
        return Event("done", lane)
    try:
        with full_disk_explained():
            doing.count()
            try:
                result = end()
            except DivergedError as error:  # the model's scores are not numbers
                result = doing.diverged(error)
    except Exception as error:
        event = _failed(lane, error)
        if event is None:
            raise
        return event
    return Event("done", lane, result=result)


def _failed(lane: str, error: Exception) -> Event | None:
    """Return the end of a task by an error that would occur again; None if another start may help."""
    memory = out_of_memory(error)
    if memory or isinstance(error, RfmetaError):
        return Event("done", lane, ours(error), memory)
    return None


def _forget() -> None:
    """Free the memory of a task, so that the next one has all of it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
