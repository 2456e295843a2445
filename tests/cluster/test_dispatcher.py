"""Which lane gets which order, and what becomes of an order whose lane is lost. The test plays the lanes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from rfmeta_dist.cluster import dispatch, lanes, queue, streams
from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster.dispatch import Dispatcher
from rfmeta_dist.cluster.errors import out_of_memory
from rfmeta_dist.cluster.queue import Event
from rfmeta_dist.cluster.stretch import Place
from rfmeta_dist.cluster.trials import Stretches
from rfmeta_dist.core.errors import ClusterError, DataError, StorageError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import MEMORY, RESTARTS, Result
from tests.cluster.lanes import changed, order

pytestmark = pytest.mark.usefixtures("cluster")

CRASHED = ClusterError("a worker ended", "see its log")


class Played:
    """A study whose lanes are played by the test."""

    def __init__(self, folder: Path, configure: Any, token: str, handles: Any, most: int) -> None:
        self.folder = open_store(str(folder))
        self.configs = {
            name: changed(
                configure(name, steps=8, workers=1, strategy="single", restarts=1),
                run={"name": name, "folder": f"{folder}/trainings"},
            )
            for name in "abc"
        }
        config = self.configs["a"]
        manifests = {name: manifest.fingerprint for name, manifest in domains.open_sources(config).items()}
        place = Place(str(folder), manifests, self.folder.sub("trainings"), token)
        self.queue = queue.start()
        given = lanes.Given(config, self.queue, True)
        self.wanted: list[Order] = []
        self.said: list[str] = []
        self.failures: Store = self.folder.sub("failures")
        study = Stretches(self._orders, place, self.failures, *handles)
        self.dispatcher = Dispatcher(study, given, most, self.said.append)

    def _orders(self) -> list[Order]:
        return self.orders()  # which a test may replace

    def orders(self) -> list[Order]:
        return [one for one in self.wanted if not all(map(self.known, one.figures.values()))]

    def known(self, figure: str) -> bool:
        return bool(results.read(self.folder, figure) or results.read(self.failures, figure))

    def asks(self, lane: str, number: int = 0) -> Any:
        return self.queue.take.remote(lane, number, True)

    def tells(self, *given: Any) -> None:
        ray.get(self.queue.tell.remote(Event(*given)))

    def does(self, one: Order, lane: str) -> None:
        for figure in one.figures.values():
            results.write(self.folder, figure, Result(0.5, 0.5))
        self.tells("done", lane)


def run_of(asked: Any) -> tuple[str, int] | None:
    task = ray.get(asked, timeout=60)
    return (task.order.config.run.name, task.order.until) if task else None


def waits(asked: Any) -> bool:
    return not ray.wait([asked], timeout=1)[0]


@pytest.fixture(scope="module")
def handles(cluster: None, configure: Any) -> tuple[streams.Actors, Any]:
    """Actors that read and a monitor. A task names them, but nobody reads here, nor looks at the news."""
    return streams.start([configure("a")]), monitors.start()


@pytest.fixture
def played(configure: Any, handles: Any, tmp_path: Path) -> Iterator[Played]:
    with lease.held(open_store(str(tmp_path)).sub("trainings"), lease.SEARCHED) as right:
        yield Played(tmp_path, configure, right.token, handles, most=2)


def test_the_most_urgent_first_never_two_of_a_run_and_a_barrier_is_waited_for(played: Played):
    early, late, other = (
        order(played.configs["a"], 4, "M"),
        order(played.configs["a"], 8, "M"),
        order(played.configs["b"], 8, "M"),
    )
    played.wanted = [early, late, other]
    with played.dispatcher.running(played.orders()):
        first = played.asks("1.0")
        assert run_of(first) == ("a", 4)
        assert played.dispatcher.wants_lane(alive=1)
        second = played.asks("2.0")
        assert run_of(second) == ("b", 8)  # a is being trained
        assert not played.dispatcher.wants_lane(alive=2)
        played.does(other, "2.0")
        again = played.asks("2.0", 1)
        assert waits(again)
        played.does(early, "1.0")
        assert run_of(again) == ("a", 8)
        end = played.asks("1.0", 1)
        assert waits(end)
        played.does(late, "2.0")
        assert run_of(end) is None
        assert run_of(played.asks("2.0", 2)) is None
    played.dispatcher.require_success()


def test_an_order_of_a_lost_lane_is_given_to_another_until_it_has_failed_too_often(played: Played):
    cursed, fine = order(played.configs["a"], 8, "M", "C"), order(played.configs["b"], 8, "M")
    results.write(played.folder, cursed.figures["C"], Result(0.25, 0.75))
    played.wanted = [cursed, fine]
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.tells("lost", "1.0", CRASHED)
        played.tells("done", "1.0")  # comes too late, from a worker of the lost start
        assert run_of(played.asks("2.0")) == ("a", 8)
        played.tells("lost", "2.0", CRASHED)
        assert run_of(played.asks("1.1")) == ("b", 8)
        played.does(fine, "1.1")
        assert run_of(played.asks("1.1", 1)) is None
    played.dispatcher.require_success()
    failure = results.read(played.failures, cursed.figures["M"])
    assert failure is not None
    assert (failure.kind, failure.hter) == (RESTARTS, None)
    assert results.read(played.folder, cursed.figures["M"]) is None
    assert results.read(played.failures, cursed.figures["C"]) is None  # it has this figure
    assert any(line.startswith("a: workers have failed") for line in played.said)


def test_an_order_s_own_want_of_memory_fails_at_once_and_an_error_is_raised_after_the_others(played: Played):
    large, broken, fine = (order(played.configs[name], 8, "M") for name in "abc")
    played.wanted = [large, broken, fine]
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.tells("done", "1.0", ClusterError("it asked for too much", "use less"), True)
        assert run_of(played.asks("1.0", 1)) == ("b", 8)
        played.tells("done", "1.0", DataError("a shard is damaged", "restore it"))
        assert run_of(played.asks("1.0", 2)) == ("c", 8)
        played.does(fine, "1.0")
        assert run_of(played.asks("1.0", 3)) is None
    with pytest.raises(DataError, match="a shard is damaged"):
        played.dispatcher.require_success()
    failure = results.read(played.failures, large.figures["M"])
    assert failure is not None
    assert failure.kind == MEMORY


def test_workers_that_were_ended_for_want_of_memory_may_have_been_beside_greedy_ones(played: Played):
    one = order(played.configs["a"], 8, "M")
    played.wanted = [one]
    ended = ClusterError("a process was ended because the machine is low on memory", "use less")
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.tells("lost", "1.0", ended, True)
        assert run_of(played.asks("1.1")) == ("a", 8)
        played.tells("lost", "1.1", ended, True)
        assert run_of(played.asks("1.2")) is None
    failure = results.read(played.failures, one.figures["M"])
    assert failure is not None
    assert failure.kind == MEMORY


def test_what_judging_on_one_domain_does_to_the_workers_costs_no_other_figure(played: Played):
    """Workers that are lost after the training judge its figures one by one, each with tries of its own."""
    both = order(played.configs["a"], 8, "M", "C")
    played.wanted = [both]
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        run = played.folder.sub("trainings/a")
        run.write("step-0000008/state.json", b"{}")  # it was trained
        played.tells("lost", "1.0", CRASHED)
        for number in (1, 2):  # of the first figure; two tries
            task = ray.get(played.asks(f"1.{number}"), timeout=60)
            assert list(task.order.figures) == ["M"]
            played.tells("lost", f"1.{number}", CRASHED)
        task = ray.get(played.asks("1.3"), timeout=60)
        assert list(task.order.figures) == ["C"]
        played.does(task.order, "1.3")
        assert run_of(played.asks("1.3", 1)) is None
    played.dispatcher.require_success()
    failure = results.read(played.failures, both.figures["M"])
    assert failure is not None
    assert failure.kind == RESTARTS
    assert results.read(played.failures, both.figures["C"]) is None
    assert results.read(played.folder, both.figures["C"]) == Result(0.5, 0.5)


def test_a_store_that_does_not_answer_for_a_moment_costs_nothing(
    played: Played, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dispatch, "PAUSES_S", (0.1, 0.1))
    one, other = order(played.configs["a"], 8, "M"), order(played.configs["b"], 8, "M")
    played.wanted = [one, other]
    asked = played.orders
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.tells("done", "1.0", StorageError("the store does not answer", "wait"))
        assert run_of(played.asks("1.0", 1)) == ("a", 8)
        fails = iter([True, False])

        def orders() -> list[Order]:
            if next(fails, False):
                raise StorageError("the store does not answer", "wait")
            return asked()

        monkeypatch.setattr(played, "orders", orders)
        played.does(one, "1.0")
        assert run_of(played.asks("1.0", 2)) == ("b", 8)
        played.does(other, "1.0")
        assert run_of(played.asks("1.0", 3)) is None
    played.dispatcher.require_success()


def test_the_study_ends_when_no_lane_gets_slots_any_more(played: Played):
    played.wanted = [order(played.configs[name], 8, "M") for name in "ab"]
    late = ClusterError("training of a waited 300 s for 1 of 1 workers", "add nodes")
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.tells("ended", "2.0", late)
        played.does(played.wanted[0], "1.0")
        assert run_of(played.asks("1.0", 1)) == ("b", 8)
        played.tells("lost", "1.0", CRASHED)
        played.tells("ended", "1.1", late)
        assert run_of(played.asks("1.2")) is None
    assert any("one lane fewer from now on" in line for line in played.said)
    with pytest.raises(ClusterError, match="waited 300 s"):
        played.dispatcher.require_success()


def test_a_study_that_was_taken_over_stores_nothing(played: Played):
    played.wanted = [order(played.configs["a"], 8, "M")]
    with played.dispatcher.running(played.orders()):
        assert run_of(played.asks("1.0")) == ("a", 8)
        played.folder.write(f"trainings/{lease.NAME}", lease.Holder.me("searched").to_bytes())
        played.tells("done", "1.0", CRASHED, True)
        assert run_of(played.asks("1.0", 1)) is None
    assert not played.known(played.wanted[0].figures["M"])
    with pytest.raises(Exception, match="taken over"):
        played.dispatcher.require_success()


def test_what_counts_as_too_little_memory():
    with pytest.raises(RuntimeError) as cpu:
        torch.empty(1 << 60)
    with pytest.raises(MemoryError) as python:
        bytearray(1 << 60)
    gpu = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    ray_says = ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")
    wrapped = ray.train.WorkerGroupError("workers failed", {0: ray_says})
    assert all(map(out_of_memory, (cpu.value, python.value, gpu, ray_says, wrapped)))
    assert not any(map(out_of_memory, (CRASHED, RuntimeError("shapes differ"), OSError(28, "disk is full"))))
