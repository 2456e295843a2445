"""Run trainings and evaluations on targets as Ray Tune trials of one CPU each, with progress."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ray import tune

from bench.study import trial
from bench.study.design import Cell, Settings
from rfmeta_dist.cli.terminal import console, progress, say
from rfmeta_dist.cluster.errors import ours
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.monitor import watched
from rfmeta_dist.cluster.session import session
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.errors import RfmetaError

STAGES = {"train": trial.train_cell, "judge": trial.judge_cell}
LINES = 50  # lines of progress for each stage if the output is not a terminal
ENVIRONMENT = {**KEEP_MEMORY, "OMP_NUM_THREADS": "1", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}


@dataclass(frozen=True)
class Work:
    """What a stage does.

    Attributes:
        stage: which function of trial.py is called.
        cells: the trainings for which it is called.
        units: units of progress of a training.
    """

    stage: Literal["train", "judge"]
    cells: Sequence[Cell]
    units: int


@contextmanager
def local(slots: int | None) -> Iterator[None]:
    """Start a local Ray whose processes keep their memory and use one thread each."""
    os.environ.update(ENVIRONMENT)  # Ray's processes inherit it, and must have it when they start
    with session(slots):
        yield


def run(work: Work, settings: Settings, folder: Path) -> None:
    """Do the work for all cells, as many at a time as there are CPUs.

    Raises:
        RfmetaError: the error of the first cell that failed, after the others have ended.
        ClusterError: a trial died. What other trials finished is kept.
    """
    if not work.cells:
        return
    monitor, cells = start_monitor(), by_name(work.cells)
    with tempfile.TemporaryDirectory(prefix="rfmeta-study-") as place, _shown(work, monitor):
        tuner = tune.Tuner(
            tune.with_resources(_trial, {"cpu": 1}),
            param_space={
                "cell": tune.grid_search(list(cells)),  # it becomes a folder's name
                "cells": cells,
                "stage": work.stage,
                "settings": settings,
                "folder": folder,
                "monitor": monitor,
            },
            tune_config=tune.TuneConfig(reuse_actors=True),  # a new process would import torch each time
            run_config=tune.RunConfig(name=work.stage, storage_path=place, verbose=0),
        )
        results = list(tuner.fit())
    for result in results:
        if result.error is not None:
            raise ours(result.error, "a trial failed")
        if result.metrics.get("error"):
            raise result.metrics["error"]


def by_name(cells: Sequence[Cell]) -> dict[str, Cell]:
    """Return the cells by a name of their own, also where one training is judged on several targets."""
    return {cell.judged.replace("/", "-"): cell for cell in cells}


def _trial(given: dict[str, Any]) -> None:
    def tell(units: int) -> None:
        given["monitor"].push.remote([{"units": units}])

    try:
        STAGES[given["stage"]](given["cells"][given["cell"]], given["settings"], given["folder"], tell)
    except RfmetaError as error:
        tune.report({"cell": given["cell"], "error": error})
        return
    tune.report({"cell": given["cell"]})  # Tune prints a line about a trial that reports nothing


@contextmanager
def _shown(work: Work, monitor: Any) -> Iterator[None]:
    total, said = len(work.cells) * work.units, 0
    with progress(False) as bars:
        task = bars.add_task(f"{work.stage} {len(work.cells)}", total=total)
        shown = next(t for t in bars.tasks if t.id == task)

        def advance(row: dict[str, Any]) -> None:
            nonlocal said
            bars.advance(task, row["units"])
            if console.is_terminal or shown.completed * LINES // total <= said:
                return
            said = int(shown.completed * LINES // total)
            left = (shown.elapsed or 0.0) * (total / shown.completed - 1)
            say(f"{work.stage}: {shown.completed / total:.0%} done, about {left / 60:.0f} minutes left")

        with watched(monitor, advance):
            yield
