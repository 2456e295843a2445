"""Which processes a local training starts: each of them costs a second before the first step."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rfmeta_dist.cluster.leave_one_out import leave_one_out
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.runs import folder as runs_folder
from tests.cluster.conftest import titles

WITHOUT_WORK = (
    "TrainController",
    "DatasetManager",
    "AutoscalingCoordinator",
    "PlacementGroupCleaner",
    "dashboard/dashboard.py",
    "monitor.py",
)


@contextmanager
def watched() -> Iterator[set[tuple[int, str]]]:
    """Every process below this one while the block runs, with each title it had.

    A thread looks 20 times a second. Looking when a row of the training arrives is not enough: the workers of
    four steps may have ended by then.
    """
    seen: set[tuple[int, str]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.update(titles().items())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.drill
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_local_training_starts_no_process_that_has_no_work(cluster: None, configure: Any):
    before = set(titles().items())  # some processes of earlier tests on this cluster live on
    with watched() as running:
        train_run(configure("few", workers=1, steps=4), lambda _: None, local=True)
    started = [title for _, title in running - before]
    assert any(title.startswith("ray::RayTrainWorker") for title in started)
    assert any(title.startswith("ray::DomainReaders") for title in started)
    assert [title for title in started if any(word in title for word in WITHOUT_WORK)] == []


def readers(processes: Iterable[tuple[int, str]]) -> set[int]:
    return {process for process, title in processes if title.startswith("ray::DomainReaders")}


@pytest.mark.drill
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_trainings_of_a_leave_one_out_share_a_reading_process(cluster: None, configure: Any):
    few = {"workers": 1, "strategy": "single"}
    runs = [configure("shares", steps=3, **few), configure("shares-too", steps=6, seed=1, **few)]
    ending = readers(titles().items())  # of an earlier training
    with watched() as running:
        outcomes = leave_one_out(runs, lambda _: None, local=True)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(readers(running) - ending) == 1
    for run in runs:
        read = json.loads(runs_folder.open_folder(run).read("streams.json"))
        needed = run.training.steps * run.data.batch
        assert read.keys() == {"O", "C", "I"}
        # Up to three steps are requested and four batches decoded in advance.
        assert all(needed <= one["samples"] <= needed + 8 * run.data.batch for one in read.values())


@pytest.mark.drill
def test_a_training_in_a_notebook_whose_event_loop_is_running(cluster: None, configure: Any):
    rows: list[dict[str, Any]] = []

    async def cell() -> None:
        train_run(configure("notebook", workers=1, steps=2), rows.append, local=True)

    asyncio.run(cell())
    assert [row["step"] for row in rows] == [0, 1]
