"""Hand out the orders of a command to lanes, most urgent first, and keep count of what becomes of them.

A thread of the driver does that. It asks the command for its orders again whenever one is finished, so what is
trained next follows from what is finished alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import ray

from rfmeta_dist.cluster import lanes, queue
from rfmeta_dist.cluster.errors import AGAIN, explained
from rfmeta_dist.cluster.fit import waiting
from rfmeta_dist.cluster.queue import Event
from rfmeta_dist.cluster.tasks import Refused, Task
from rfmeta_dist.core.errors import ClusterError, RfmetaError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.training import kept
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import MEMORY, RESTARTS

TRIAL = ClusterError("the process that starts the workers of a lane has ended", AGAIN)
JOIN_S = 10.0  # seconds to wait for the thread that hands out orders, when its queue has ended


@dataclass(frozen=True)
class End:
    """How an order ended.

    Attributes:
        error: what ended it; None if it was done.
        kind: `results.MEMORY` if there was too little memory, `results.RESTARTS` if the order's workers failed
            `training.restarts` times without a new checkpoint, "" otherwise. A training that diverged has ""
            and either no error or a DivergedError.
        result: what the task returned; None if there was an error.
    """

    error: RfmetaError | None = None
    kind: str = ""
    result: Any = None


class Work(Protocol):
    """What a command wants to be done in lanes.

    Attributes:
        name: names the work in the message about an error of Ray, such as "the study".
        again_after_memory: True if workers that were ended for want of memory may do the same order again.
    """

    name: str
    again_after_memory: bool

    def orders(self) -> Sequence[Order]:
        """Return all orders that are wanted now, most urgent first.

        It is called whenever an order is finished, and never twice at the same time. If it returns only orders
        that are being done, the lanes wait; if none, the work is finished. Orders that have ended may be
        returned again, and are then left out. All orders need the same workers.
        """

    def task(self, order: Order) -> Task:
        """Return the task of an order for a lane.

        It may wait, because it is called in a thread of its own. It is called again if a lane is lost.

        Raises:
            RfmetaError: the order cannot be done, and has ended.
        """

    def ended(self, order: Order, end: End) -> RfmetaError | None:
        """Take note of the end of an order.

        Returns:
            The error with which the command is to end when the other orders are done; None if there is none.

        Raises:
            RfmetaError: no further order may be begun.
        """


def dispatch(
    work: Work, wanted: Sequence[Order], most: int, say: Callable[[str], None], *, local: bool
) -> None:
    """Do orders until there are none, as many at once as the cluster holds.

    Args:
        work: says what is wanted.
        wanted: what is wanted now, at least one order. The first says how many workers a lane has.
        most: how many lanes there can be at the same time.
        say: called with each message for the user.
        local: True if this process started the cluster.

    Raises:
        RfmetaError: the first error that `work` returned, or the one after which nothing could go on.
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
        self._ended: set[tuple[str, int, tuple[str, ...]]] = set()  # never given again, whatever is wanted
        self._had: dict[str, int] = {}  # lane → number of tasks that it has had, of lanes with workers
        self._free: list[str] = []
        self._gone: set[str] = set()  # lanes whose workers have failed
        self._working: dict[str, Order] = {}
        self._checkpoints: dict[str, set[int]] = {}  # run → steps of its checkpoints when it was given last
        self._starts_lost: dict[str, int] = {}  # run → starts since its last checkpoint
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
                        self._wanted = list(self._work.orders())
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
        for order in self._wanted:
            name = order.config.run.name
            if name not in busy and _key(order) not in self._ended:
                first.setdefault(name, order)
        return list(first.values())

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
            return self._lost(order, event.error, event.memory)
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

    def _lost(self, order: Order, why: RfmetaError, memory: bool) -> bool:
        """Leave an order to the next lane that is free, or give it up. Return True if it is given up."""
        name = order.config.run.name
        if memory and not self._work.again_after_memory:
            self._end(order, End(why, MEMORY))
            return True
        there = kept.written(open_folder(order.config))
        progress = there - self._checkpoints.get(name, there)
        lost = self._starts_lost[name] = 0 if progress else self._starts_lost.get(name, 0) + 1
        if lost > order.config.training.restarts:
            self._end(order, End(why, RESTARTS))
            return True
        self._say(f"{name}: workers have failed; it goes on from its newest checkpoint")
        return False

    def _end(self, order: Order, end: End) -> None:
        self._ended.add(_key(order))
        if error := self._work.ended(order, end):
            self._errors.append(error)


def _key(order: Order) -> tuple[str, int, tuple[str, ...]]:
    return order.config.run.name, order.until, tuple(sorted(order.figures.values()))
