"""Run one training of the study, or evaluate it on its target: plain functions that resume from their files.

Each training has a folder below `runs/`, as `rfmeta train` would leave it: configuration, ledger, model. Its
`row.json` is written last and says that the training is done. The target's `evaluation.json` is written only
for trainings whose α was chosen.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.study.design import Cell, Settings, configuration
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import UNITS, StepRow
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors import package
from rfmeta_dist.evaluation import judge, rates
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes import gradient
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage.store import Store, open_store

LATELY = 20  # number of last steps over which losses are averaged
TOLD = 10  # number of steps between reports of progress
Tell = Callable[[int], None]


def train_cell(cell: Cell, settings: Settings, folder: Path, tell: Tell) -> None:
    """Train, evaluate on the sources' validation splits, and write the row. The target is not opened.

    If a loss or gradient is not finite, the row says so, and there is no model.

    Args:
        cell: the training.
        settings: what all trainings have in common.
        folder: folder of the study.
        tell: called with the number of steps done since the last call.

    Raises:
        RunError: a training of this name exists with other settings.
        DataError: a source is missing, damaged or has one class only.
    """
    started = time.time()
    config = configuration(cell, settings, folder)
    store = runs.open_folder(config)
    runs.claim(store, config)
    row: dict[str, Any] = cell.columns() | {"settings": asdict(settings), "started": started}
    torch.set_num_threads(1)
    try:
        rows = _train(config, store, tell)
    except RunError as error:
        row |= {"failed": str(error)}
    else:
        row["training_s"] = time.time() - started
        row["losses"] = _lately(rows)
        row["data_share"] = sum(r["data_seconds"] for r in rows) / sum(r["seconds"] for r in rows)
        row["validation"] = validation(Scores.from_parquet(store.read("validation.parquet")))
    row |= {"ended": time.time(), "machine": machine()}
    store.write("row.json", json.dumps(row, indent=1).encode())


def judge_cell(cell: Cell, settings: Settings, folder: Path, tell: Tell) -> None:
    """Open the sealed target of a chosen training, once. A ledger line says so before it is read.

    Args:
        cell: the training, which is done.
        settings: what all trainings have in common.
        folder: folder of the study.
        tell: called with 1 at the end.

    Raises:
        RunError: the training has no model.
        DataError: the target is missing or damaged.
    """
    torch.set_num_threads(1)
    config = configuration(cell, settings, folder)
    store = runs.open_folder(config)
    judged = open_store(str(folder / "runs" / cell.judged))
    if judged.url != store.url:  # one training serves several targets
        judged.write("validation.parquet", store.read("validation.parquet"))
    judge.evaluate(config, judged, load_model(store.sub("model")))
    tell(1)


def read_row(cell: Cell, settings: Settings, folder: Path) -> dict[str, Any] | None:
    """Return the row of a training; None if it is not done.

    Raises:
        RunError: the training was made with other settings.
    """
    path = folder / "runs" / cell.name / "row.json"
    if not path.is_file():
        return None
    row: dict[str, Any] = json.loads(path.read_text())
    for name, value in asdict(settings).items():
        if row["settings"][name] != value:
            raise RunError(
                f"the training in {path.parent} was made with {name}={row['settings'][name]}, not {value}",
                f"give --{name} {row['settings'][name]}, or another --folder",
            )
    return row


def is_judged(cell: Cell, folder: Path) -> bool:
    """Return True if the figures on the target exist."""
    return (folder / "runs" / cell.judged / "evaluation.json").is_file()


def validation(scores: Scores) -> dict[str, dict[str, float]]:
    """Return the AUC on each source's validation split, by unit and domain."""
    found: dict[str, dict[str, float]] = {}
    for unit in UNITS:
        rows = scores.per(unit)
        found[unit] = {}
        for domain in np.unique(rows.domain):
            here = rows.select(rows.domain == domain)
            found[unit][str(domain)] = rates.auc(here.label, here.score)
    return found


def machine() -> str:
    """Return processor, cores and PyTorch version in words."""
    model = platform.processor() or platform.machine()
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        names = [
            line.partition(":")[2].strip() for line in listing.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} logical cores, torch {torch.__version__}"


def networks_of(run: Path) -> Networks:
    """Return the networks of a trained cell's model.

    Args:
        run: folder of the training.

    Raises:
        RunError: there is no model, or it is damaged.
    """
    return gradient.read_detector(package.read(open_store(str(run)).sub("model")), "cpu").nets


def _train(config: Config, store: Store, tell: Tell) -> list[StepRow]:
    rows: list[StepRow] = []

    def after_step(row: StepRow) -> None:
        rows.append(row)
        done = row["step"] + 1
        if done % TOLD == 0 or done == config.training.steps:
            tell((done - 1) % TOLD + 1)

    sources = Sources.of(config)
    detector = gradient.GradientRecipe().fit(sources, Context.of(config, after_step))
    count = config.evaluation.recalibration_batches
    words = f"batch-norm statistics pooled over {count} training batches of each source"
    facts = {"step": config.training.steps, "recalibration": words}
    judge.finish(config, store, detector, sources, facts)
    return rows


def _lately(rows: list[StepRow]) -> dict[str, float]:
    """Return the mean loss and its parts over the last steps."""
    last = rows[-LATELY:]
    names = [name for name in last[-1] if name == "loss" or name.startswith(("cls", "dep"))]
    return {name: float(np.mean([row[name] for row in last])) for name in names}
