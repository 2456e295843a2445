"""`rfmeta tune`: run the trainings of a study in lanes, and hand out its orders, most urgent first.

A thread of the driver hands out the orders. It asks the study for its orders again whenever one is finished, so
what is trained next follows from the figures alone. The workers store the figures themselves. So whatever ends
the study, no finished figure is lost: the same command finds it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import ray

from rfmeta_dist.cluster import lanes, queue, streams
from rfmeta_dist.cluster.errors import AGAIN, explained
from rfmeta_dist.cluster.fit import waiting
from rfmeta_dist.cluster.monitor import News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.queue import Event, Task
from rfmeta_dist.cluster.stretch import Place
from rfmeta_dist.cluster.tune import at_once
from rfmeta_dist.core.errors import ClusterError, RfmetaError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.training import kept
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import TRAININGS
from rfmeta_dist.tuning.orders import Order

Orders = Callable[[], Sequence[Order]]
TRIAL = ClusterError("the process that starts the workers of a lane has ended", AGAIN)
JOIN_S = 10.0  # seconds to wait for the thread that hands out orders, when its queue has ended


def run(
    orders: Orders,
    manifests: Mapping[str, str],
    folder: str,
    failures: Store,
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = log_notice,
    local: bool,
    token: str,
) -> None:
    """Do orders until there are none, as many at once as the cluster holds, and store their figures.

    A training that diverges gets figures that say so. One that takes more memory than there is, or whose
    workers fail `training.restarts` times without a new checkpoint, gets such figures below `failures`, because
    they are of this cluster. After another error, such as of the data, the other orders are still done; then
    the first such error is raised.

    Args:
        orders: returns all orders that are wanted now, most urgent first. It is called in this process whenever
            an order is finished, and never twice at the same time. It must follow from the stored figures. If
            it returns only orders that are being done, the lanes wait; if none, the study is finished. All
            orders need the same workers.
        manifests: fingerprint of the manifest that the study reads, by domain.
        folder: URL of the folder below which figures are stored, and trainings in `trainings/`.
        failures: folder for figures that say that this cluster failed, under the same names.
        on_news: called with the row of each step of each training; `label` is the run's name.
        on_notice: called with each message for the user, which begins with the run's name.
        local: True if this process started the cluster.
        token: token of this process's lease of `trainings/`.

    Raises:
        RfmetaError: the first error that ended an order without a figure.
        ClusterError: the cluster can never hold the workers of one training, or had no slots for them within
            `training.wait_s` seconds.
    """
    wanted = list(orders())
    if not wanted:
        return
    layout = wanted[0].config
    together = at_once([order.config for order in wanted], on_notice)
    place = Place(folder, manifests, open_store(folder).sub(TRAININGS), token)
    monitor, orders_queue = start_monitor(), queue.start()
    given = lanes.Given(layout, place, orders_queue, monitor, local)
    # Orders that come later may need domains that the first ones do not.
    data = layout.data.model_copy(update={"sources": tuple(manifests)})
    whole = layout.model_copy(update={"data": data})
    desk = Dispatcher(orders, given, failures, streams.start([whole], together), together, on_notice)
    end = "a lane without slots is given up"
    with (
        watched(monitor, on_news, on_notice),
        waiting(layout, on_notice, end),
        explained("the study failed"),
        desk.running(wanted),
    ):
        lanes.fit(given, desk)
    desk.require_success()


class Dispatcher:
    """Hands out the orders of a study to lanes, in a thread, and keeps count of what became of them.

    Args:
        orders: see `run`.
        given: what the lanes are given.
        failures: see `run`.
        actors: actors that read all domains of the study.
        most: how many lanes there can be at the same time.
        say: called with each message for the user.
    """

    def __init__(
        self,
        orders: Orders,
        given: lanes.Given,
        failures: Store,
        actors: streams.Actors,
        most: int,
        say: Callable[[str], None],
    ) -> None:
        self._orders, self._given, self._failures, self._say = orders, given, failures, say
        self._actors = actors
        self._most = most
        self._wanted: list[Order] = []
        self._ended: set[tuple[str, int, tuple[str, ...]]] = set()  # never given again, whatever `orders` says
        self._had: dict[str, int] = {}  # lane → number of orders that it has had, of lanes with workers
        self._free: list[str] = []
        self._gone: set[str] = set()  # lanes whose workers have failed
        self._working: dict[str, Order] = {}
        self._checkpoints: dict[str, set[int]] = {}  # run → steps of its checkpoints when it was given last
        self._starts_lost: dict[str, int] = {}  # run → starts since its last checkpoint
        self._short = 0
        self._closed: float | None = None
        self._errors: list[BaseException] = []

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
                ray.kill(self._given.queue)
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
        self._given.queue.tell.remote(Event("left", str(lane), TRIAL if crashed else None))

    def closed_s(self) -> float | None:
        """See `lanes.Demand`."""
        return None if self._closed is None else time.monotonic() - self._closed

    def _run(self) -> None:
        try:
            with explained("the study failed"):
                while self._assign():
                    finished = [self._heard(event) for event in ray.get(self._given.queue.events.remote())]
                    if any(finished):
                        self._wanted = list(self._orders())
        except RfmetaError as error:
            self._errors.append(error)
        self._closed = time.monotonic()
        with suppress(ray.exceptions.RayError):
            ray.get(self._given.queue.close.remote())

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
        config, manifests = order.config, self._given.place.manifests
        hashes = {name: manifests[name] for name in config.data.sources}
        self._checkpoints[config.run.name] = kept.written(open_folder(config))
        self._working[lane] = order
        self._given.queue.give.remote(
            lane, self._had[lane], Task(order, streams.opened(self._actors, config, hashes))
        )
        self._had[lane] += 1

    def _heard(self, event: Event) -> bool:
        """Take note of an event. Return True if an order is finished."""
        if event.kind == "free":
            if event.lane not in self._gone:
                self._had.setdefault(event.lane, 0)
                self._free.append(event.lane)
            return False
        if event.kind == "done":
            order = self._working.pop(event.lane, None)
            return order is not None and self._done(order, event)
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

    def _done(self, order: Order, event: Event) -> bool:
        self._ended.add(_key(order))
        if event.memory and event.error:
            self._fail(order, results.MEMORY, event.error.problem)
        elif event.error:
            self._errors.append(event.error)
        return True

    def _lost(self, order: Order, why: RfmetaError, memory: bool) -> bool:
        """Leave an order to the next lane that is free, or give it up. Return True if it is given up."""
        name = order.config.run.name
        if memory:
            self._fail(order, results.MEMORY, why.problem)
            return True
        progress = kept.written(open_folder(order.config)) - self._checkpoints[name]
        lost = self._starts_lost[name] = 0 if progress else self._starts_lost.get(name, 0) + 1
        restarts = order.config.training.restarts
        if lost > restarts:
            reason = f"its workers failed after {restarts} restart(s) without a new checkpoint: {why.problem}"
            self._fail(order, results.RESTARTS, reason)
            return True
        self._say(f"{name}: workers have failed; it goes on from its newest checkpoint")
        return False

    def _fail(self, order: Order, kind: str, reason: str) -> None:
        """Store that the order failed on this cluster, for each figure that it has not given."""
        self._ended.add(_key(order))
        place = self._given.place
        lease.require(place.leased, place.lease)
        for figure in order.figures.values():
            if results.read(open_store(place.folder), figure) is None:
                results.write(self._failures, figure, results.Result(None, None, failed=reason, kind=kind))


def _key(order: Order) -> tuple[str, int, tuple[str, ...]]:
    return order.config.run.name, order.until, tuple(sorted(order.figures.values()))
