"""Hand out the orders of a command to lanes, most urgent first, and keep count of what becomes of them.

A thread of the driver does that. It asks the command for its orders again whenever one is finished, so what is
trained next follows from what is finished alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

import ray

from rfmeta_dist.cluster import lanes, queue
from rfmeta_dist.cluster.errors import AGAIN, explained
from rfmeta_dist.cluster.fit import waiting
from rfmeta_dist.cluster.queue import Event
from rfmeta_dist.cluster.tasks import Refused
from rfmeta_dist.cluster.work import End, Work
from rfmeta_dist.core.errors import ClusterError, RfmetaError, StorageError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.training import kept
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import MEMORY, RESTARTS

TRIAL = ClusterError("the process that starts the workers of a lane has ended", AGAIN)
PAUSES_S = (5.0, 15.0, 30.0, 60.0, 120.0)  # between tries while the store cannot be reached
JOIN_S = 10.0  # seconds to wait for the thread that hands out orders, when its queue has ended


T = TypeVar("T")
Key = tuple[str, int, tuple[str, ...]]  # of an order: its run, its step and the names of its figures


def dispatch(
    work: Work, wanted: Sequence[Order], most: int, say: Callable[[str], None], *, local: bool
) -> None:
    """Do orders until there are none, as many at once as the cluster holds.

    Args:
        work: says what is wanted.
        wanted: what is wanted now, at least one order. The first says how many workers a lane has, because all
            orders need the same workers.
        most: how many lanes there can be at the same time.
        say: called with each message for the user.
        local: True if this process started the cluster.

    Raises:
        RfmetaError: the first error that `work` returned, or the error that ended all lanes.
    """
    layout = wanted[0].config
    desk = Dispatcher(work, lanes.Given(layout, queue.start(), local), most, say)
    with (
        waiting(layout, say, "a lane without slots is given up"),
        explained(f"{work.name} failed"),
        desk.running(wanted),
    ):
        lanes.fit(desk.given, desk)
    desk.require_success()


class Dispatcher:
    """Hands out orders to lanes, in a thread, and keeps count of what became of them.

    Args:
        work: says what is wanted.
        given: what the lanes are given.
        most: how many lanes there can be at the same time.
        say: called with each message for the user.
    """

    def __init__(self, work: Work, given: lanes.Given, most: int, say: Callable[[str], None]) -> None:
        self.given = given
        self._work, self._say, self._most = work, say, most
        self._wanted: list[Order] = []
        self._ended: set[Key] = set()  # never given again, whatever is wanted
        self._had: dict[str, int] = {}  # lane → number of tasks that it has had, of lanes with workers
        self._free: list[str] = []
        self._gone: set[str] = set()  # lanes whose workers have failed
        self._working: dict[str, Order] = {}
        self._checkpoints: dict[str, set[int]] = {}  # run → steps of its checkpoints when it was given last
        self._failed: dict[Key, int] = {}  # order → how often it failed since its last checkpoint
        self._apart: set[tuple[str, int]] = set()  # run and step whose figures are judged one by one
        self._short = 0
        self._closed: float | None = None
        self._errors: list[RfmetaError] = []

    @contextmanager
    def running(self, wanted: Sequence[Order]) -> Iterator[None]:
        """Hand out orders, first those that are wanted now, while the context is open."""
        self._wanted = list(wanted)
        thread = threading.Thread(target=self._run, name="orders", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(ray.exceptions.RayError):
                ray.kill(self.given.queue)
            thread.join(JOIN_S)

    def require_success(self) -> None:
        """Raise the first error that ended an order, or the handing out, if there was one."""
        if self._errors:
            raise self._errors[0]

    def wants_lane(self, alive: int) -> bool:
        """See `lanes.Demand`."""
        return alive < self._most and self._short > alive - len(self._had)

    def left(self, lane: int, crashed: bool) -> None:
        """See `lanes.Demand`."""
        self.given.queue.tell.remote(Event("left", str(lane), TRIAL if crashed else None))

    def closed_s(self) -> float | None:
        """See `lanes.Demand`."""
        return None if self._closed is None else time.monotonic() - self._closed

    def _run(self) -> None:
        try:
            with explained(f"{self._work.name} failed"):
                while self._assign():
                    finished = [self._heard(event) for event in ray.get(self.given.queue.events.remote())]
                    if any(finished):
                        self._assign()  # lanes that are free need not wait until it is known what is new
                        self._wanted = list(self._patiently(self._work.orders))
        except RfmetaError as error:
            self._errors.append(error)
        self._closed = time.monotonic()
        with suppress(ray.exceptions.RayError):
            ray.get(self.given.queue.close.remote())

    def _assign(self) -> bool:
        """Give orders to the lanes that are free. Return False if there is nothing more to do."""
        waiting = self._waiting()
        while waiting and self._free:
            self._give(self._free.pop(0), waiting.pop(0))
        self._short = len(waiting)
        if waiting and self._most == 0:
            return False
        return bool(waiting or self._working)

    def _waiting(self) -> list[Order]:
        """Return the orders that can be given now, at most one of each run."""
        busy = {order.config.run.name for order in self._working.values()}
        first: dict[str, Order] = {}
        for order in (part for whole in self._wanted for part in self._parts(whole)):
            name = order.config.run.name
            if name not in busy and _key(order) not in self._ended:
                first.setdefault(name, order)
        return list(first.values())

    def _parts(self, order: Order) -> list[Order]:
        if (order.config.run.name, order.until) not in self._apart:
            return [order]
        return [replace(order, figures={judged: name}) for judged, name in order.figures.items()]

    def _give(self, lane: str, order: Order) -> None:
        number = self._had[lane]
        self._working[lane], self._had[lane] = order, number + 1
        threading.Thread(target=self._send, args=(lane, number, order), daemon=True).start()

    def _send(self, lane: str, number: int, order: Order) -> None:
        given: queue.Given
        try:
            with explained():
                given = self._work.task(order)
                self._checkpoints[order.config.run.name] = kept.written(open_folder(order.config))
        except RfmetaError as error:
            given = Refused(error)
        with suppress(ray.exceptions.RayError):
            self.given.queue.give.remote(lane, number, given)

    def _heard(self, event: Event) -> bool:
        """Take note of an event. Return True if an order is finished."""
        if event.kind == "free":
            if event.lane not in self._gone:
                self._had.setdefault(event.lane, 0)
                self._free.append(event.lane)
            return False
        if event.kind == "done":
            order = self._working.pop(event.lane, None)
            if order is not None and isinstance(event.error, StorageError):
                return self._again(order, event.error, "")
            if order is not None:
                self._end(order, End(event.error, MEMORY if event.memory else "", event.result))
            return order is not None
        return self._heard_of_loss(event)

    def _heard_of_loss(self, event: Event) -> bool:
        lane = event.lane
        if event.kind == "left":  # the lane's workers, if there are any, have ended with it
            lane = next((start for start in self._had if start.partition(".")[0] == lane), lane)
        self._gone.add(lane)
        self._had.pop(lane, None)
        self._free = [free for free in self._free if free != lane]
        order = self._working.pop(lane, None)
        if order is not None and event.error:
            return self._again(order, event.error, MEMORY if event.memory else RESTARTS)
        if event.kind != "lost" and event.error:
            self._gave_up(event.error)
        return False

    def _gave_up(self, why: RfmetaError) -> None:
        """Do with one lane fewer, so that lanes that cannot be started are not started for ever."""
        self._most -= 1
        if self._most == 0:
            self._errors.append(why)
        else:
            self._say(f"one lane fewer from now on: {why.problem}")

    def _again(self, order: Order, why: RfmetaError, kind: str) -> bool:
        """Leave an order to the next lane that is free, or give it up. Return True if it is given up.

        Workers may be lost through what runs beside them, also for want of memory, so a first loss says little
        about the order. If they are lost after the training, the figures are judged one by one from then on:
        what the data of one domain does to the workers must not cost the figure of another.
        """
        name = order.config.run.name
        there = self._patiently(lambda: kept.written(open_folder(order.config)))
        progress = there - self._checkpoints.get(name, there)
        if order.until in there and len(order.figures) > 1:
            self._apart.add((name, order.until))
            failed = 0
        else:
            failed = self._failed[_key(order)] = 0 if progress else self._failed.get(_key(order), 0) + 1
        if failed > order.config.training.restarts:
            self._end(order, End(why, kind))
            return True
        what = "workers have failed" if kind else why.problem
        self._say(f"{name}: {what}; its training goes on from the newest checkpoint")
        return False

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Return what `ask` returns. While the store cannot be reached, try again for some minutes.

        Raises:
            StorageError: it cannot be reached even then.
        """
        for pause_s in PAUSES_S:
            try:
                return ask()
            except StorageError as error:
                self._say(f"{error.problem}; trying again in {pause_s:.0f} s")
                time.sleep(pause_s)
        return ask()

    def _end(self, order: Order, end: End) -> None:
        self._ended.add(_key(order))
        if error := self._patiently(lambda: self._work.ended(order, end)):
            self._errors.append(error)


def _key(order: Order) -> Key:
    return order.config.run.name, order.until, tuple(sorted(order.figures.values()))
