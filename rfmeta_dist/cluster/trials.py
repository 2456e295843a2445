"""`rfmeta tune`: run the trainings of a study in lanes.

The workers store the figures themselves. So whatever ends the study, no finished figure is lost: the same
command finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.dispatch import dispatch
from rfmeta_dist.cluster.monitor import DONE, FAILED, PAUSED, News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.room import at_once
from rfmeta_dist.cluster.stretch import Judged, Place, Task
from rfmeta_dist.cluster.work import End
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import TRAININGS
from rfmeta_dist.tuning.orders import Order

Orders = Callable[[], Sequence[Order]]


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
        failures: folder for figures that say that this cluster failed, under the same names. It lies in the
            study's own folder, whose name is the study's in metrics.
        on_news: called with the row of each step of each training, in which `label` is the run's name, and with
            changes of a training's state: `label`, `state` (`judging`, `paused`, `done` or `failed`), and
            `validation` (HTER by video on the sources' validation splits, in [0, 1]) or `reason`.
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
    study_name = failures.url.split("/")[-2]
    place = Place(folder, manifests, open_store(folder).sub(TRAININGS), token, study_name)
    monitor = start_monitor()
    # Orders that come later may need domains that the first ones do not.
    data = layout.data.model_copy(update={"sources": tuple(manifests)})
    whole = layout.model_copy(update={"data": data})
    study = Stretches(orders, place, failures, streams.start([whole], together), monitor)
    with watched(monitor, on_news, on_notice):
        dispatch(study, wanted, together, on_notice, local=local)


class Stretches:
    """The orders of a study; see `dispatch.Work`.

    Args:
        orders: see `run`.
        place: where the study reads and writes.
        failures: see `run`.
        actors: actors that read all domains of the study.
        monitor: handle of the actor that collects rows and messages for the driver.
    """

    name = "the study"

    def __init__(
        self, orders: Orders, place: Place, failures: Store, actors: streams.Actors, monitor: Any
    ) -> None:
        self._orders, self._place, self._failures = orders, place, failures
        self._actors, self._monitor = actors, monitor

    def orders(self) -> Sequence[Order]:
        """Return all orders that are wanted now."""
        return self._orders()

    def task(self, order: Order) -> Task:
        """Return the task of an order."""
        manifests = self._place.manifests
        hashes = {name: manifests[name] for name in order.config.data.sources}
        opened = streams.opened(self._actors, order.config, hashes, self._place.study)
        return Task(order, opened, self._place, self._monitor)

    def ended(self, order: Order, end: End) -> RfmetaError | None:
        """Tell how an order ended. If this cluster failed it, store that for each figure that it has not given.

        Raises:
            RunError: another driver has taken the study over.
        """
        if isinstance(end.result, Judged):
            for figure, reason in end.result.memory.items():
                self._fail(figure, reason, results.MEMORY)
            self._tell(order, end.result.error)
            return end.result.error
        self._tell(order, end.error)
        if end.error is None or not end.kind:
            return end.error
        reason, restarts = end.error.problem, order.config.training.restarts
        if end.kind == results.RESTARTS:
            reason = f"its workers failed after {restarts} restart(s) without a new checkpoint: {reason}"
        for figure in order.figures.values():
            self._fail(figure, reason, end.kind)
        return None

    def _tell(self, order: Order, error: RfmetaError | None) -> None:
        state = PAUSED if order.until < order.config.training.steps else DONE
        row = {"state": FAILED, "reason": error.problem} if error else {"state": state}
        self._monitor.push.remote([{"label": order.config.run.name, **row}])

    def _fail(self, figure: str, reason: str, kind: str) -> None:
        place = self._place
        lease.require(place.leased, place.lease)
        if results.read(open_store(place.folder), figure) is None:
            results.write(self._failures, figure, results.Result(None, None, failed=reason, kind=kind))
