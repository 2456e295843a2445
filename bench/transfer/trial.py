"""Run one training and score its sets: plain functions that resume from their files.

Each training has a folder below `cells/` with the scores in every set that it is judged in. Its `row.json` is
written last and says that it is done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from bench.transfer.data import domains, set_folder
from bench.transfer.design import ARMS, GIVEN, Arm, Cell, Settings
from bench.transfer.simple import LinearDetector
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.manifest import domains as domains_of
from rfmeta_dist.detectors.api import Detector
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import SCORING_BATCH, concatenate, score_domain
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.gradient import GradientRecipe
from rfmeta_dist.storage.store import open_store

SIDE = 64  # side in pixels of what networks and classifiers see
VARIED = {"crop": 0.0}  # the default augmentation without random crops, so that no face or patch is resampled


def run(cell: Cell, settings: Settings, folder: Path, given: str | None) -> None:
    """Train a cell and judge it, and write its scores and its row.

    Args:
        cell: the training.
        settings: what all trainings have in common.
        folder: folder of data and trainings.
        given: prefix of existing shards.

    Raises:
        DataError: a set is missing, damaged or lacks a class.
        RunError: the training diverged.
    """
    torch.set_num_threads(1)
    started, arm = time.time(), ARMS[cell.arm]
    place = open_store(str(folder / "cells" / cell.name))
    prefix, names = _set(cell.trained, settings, folder, given)
    if arm.few:
        names = names[: settings.few]
    detector = _network(cell, prefix, names, settings) if arm.network else _linear(arm, prefix, names)
    for name in cell.judged:
        place.write(f"{name}.parquet", _judged(detector, arm, name, settings, folder, given).to_parquet())
    row = {
        "settings": asdict(settings),
        "sources": names,
        "judged": list(cell.judged),
        "given": given,
        "seconds": time.time() - started,
    }
    place.write("row.json", json.dumps(row, indent=1).encode())


def done(cell: Cell, settings: Settings, folder: Path, given: str | None) -> tuple[str, ...]:
    """Return the sets in which a cell is to be judged and was; none if it was not trained.

    Raises:
        RunError: the cell was trained with other settings.
    """
    path = folder / "cells" / cell.name / "row.json"
    if not path.is_file():
        return ()
    row = json.loads(path.read_text())
    for name, value in asdict(settings).items():
        if row["settings"][name] != value:
            raise RunError(
                f"the training in {path.parent} was made with {name}={row['settings'][name]}, not {value}",
                f"give --{name} {row['settings'][name]}, or another --keep",
            )
    same = row["given"] == given
    if cell.trained == GIVEN and not same:
        return ()
    return tuple(name for name in cell.judged if name in row["judged"] and (same or name != GIVEN))


def scores(cell: Cell, judged: str, folder: Path) -> Scores:
    """Return the scores of a cell that is done, in one of its judged sets."""
    return Scores.from_parquet((folder / "cells" / cell.name / f"{judged}.parquet").read_bytes())


def _set(name: str, settings: Settings, folder: Path, given: str | None) -> tuple[str, list[str]]:
    """Return the prefix of a set, and the domains in it that are trained on."""
    if name == GIVEN:
        assert given is not None
        return given, domains_of(open_store(given))
    return str(set_folder(folder, name)), domains(settings)[0]


def _patches(arm: Arm) -> Patches | None:
    return Patches() if arm.view == "patches" else None


def _network(cell: Cell, prefix: str, names: list[str], settings: Settings) -> Detector:
    config = _configuration(cell, prefix, names, settings)
    return GradientRecipe().fit(Sources.of(config), Context.of(config))


def _linear(arm: Arm, prefix: str, names: list[str]) -> Detector:
    store = open_store(prefix)

    def batches() -> Iterator[RawBatch]:
        for name in names:
            yield from _scan(arm, prefix, Manifest.open(store, name), "train")

    return LinearDetector(arm.learner, batches())


def _judged(
    detector: Detector, arm: Arm, name: str, settings: Settings, folder: Path, given: str | None
) -> Scores:
    prefix, names = _set(name, settings, folder, given)
    names = names if name == GIVEN else domains(settings)[1]
    found = []
    for domain in names:
        manifest = Manifest.open(open_store(prefix), domain)
        found.append(score_domain(detector, manifest, _scan(arm, prefix, manifest, "test")))
        found[-1].require_both_classes(f"the test split of {domain} under {prefix}")
    return concatenate(found)


def _scan(arm: Arm, prefix: str, manifest: Manifest, split: Split) -> Iterator[RawBatch]:
    return scan(
        open_store(prefix), manifest, split, image_size=SIDE, batch=SCORING_BATCH, patches=_patches(arm)
    )


def _configuration(cell: Cell, prefix: str, names: list[str], settings: Settings) -> Config:
    arm = ARMS[cell.arm]
    tree = {
        "run": {"name": cell.name},
        "data": {
            "prefix": prefix,
            "sources": names,
            "target": "sealed",
            "view": arm.view,
            "image_size": SIDE,
            "batch": settings.batch,
            "augmentation": VARIED,
            "cache_gb": 0,
        },
        "model": {"width": settings.width},
        "method": {"name": arm.learner},
        "episode": {"domains": min(settings.episode, len(names))},
        "training": {
            "steps": settings.steps,
            "learning_rate": settings.rate,
            "seed": cell.seed,
            "precision": settings.precision,
            "workers": 1,
            "strategy": "single",
        },
    }
    return check(tree, f"of {cell.name}")
