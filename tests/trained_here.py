"""Train a tiny run in a process of its own, without Ray, which may be killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint, kept
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import Course, phase_of, train_phases
from rfmeta_dist.training.loop import Hooks
from tests.stored import SHARDS

STEPS, KILLED = 6, 3  # killed in this step; a method of two phases is then in its second one
CPU = torch.device("cpu")
SERVER = multiprocessing.get_context("forkserver")  # its processes begin with all modules loaded
SERVER.set_forkserver_preload([__name__, "torch._dynamo", "sympy", "statistics"])


def configuration(folder: Path, name: str, method: str) -> Config:
    data = {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "target": "M", "image_size": 32, "batch": 4}
    tree = {
        "run": {"name": name, "folder": str(folder)},
        "data": {**data, "cache_gb": 0},
        "model": {"width": 0.03},
        "method": {"name": method},
        "training": {"steps": STEPS, "checkpoint_every": 2, "workers": 1, "strategy": "single"},
        "evaluation": {"recalibration_batches": 1},
    }
    return check(tree, "test")


def train(config: Config, kill: bool) -> None:
    """Train from the newest checkpoint, as a worker does, and perhaps be killed on the way."""
    torch.set_num_threads(1)
    folder, sources, course = open_folder(config), Sources.of(config), Course(config, Single, CPU)

    def after_step(row: StepRow) -> None:
        if kill and row["step"] == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)

    def save(done: Progress) -> None:
        place, trainer = folder.sub(kept.folder_name(done.step)), course.trainer
        checkpoint.save(place, trainer, trainer.strategy.moments(), done, "f")

    progress, found = Progress(), kept.newest(folder).saved
    if found:
        course.enter(phase_of(config, found.progress.step - 1))
        progress = checkpoint.restore(found, course.trainer, ["f"])
    batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
    train_phases(config, course, batches, Hooks(after_step, save, lambda *_: None), progress, CPU)


def trained(config: Config, kill: bool) -> int | None:
    """Train in another process, and return its exit code."""
    process = SERVER.Process(target=train, args=(config, kill))
    process.start()
    process.join()
    return process.exitcode
