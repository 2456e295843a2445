"""What one Ray Train worker does: assemble the parts for its rank, resume if there is a checkpoint, train."""

from __future__ import annotations

import errno
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch

from rfmeta_dist.cluster.meters import StepMeter
from rfmeta_dist.cluster.streams import RayBatches
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError, StorageError
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.checkpoint import Progress, Row
from rfmeta_dist.training.folder import open_folder
from rfmeta_dist.training.loop import Hooks, Keys, build, train
from rfmeta_dist.training.step import Trainer
from rfmeta_dist.verification.certificate import prove

NEWS_S = 0.1  # a message costs a worker about half a millisecond, which a short step would feel


@dataclass(frozen=True)
class Assignment:
    """All a worker is given.

    Attributes:
        config: the run's.
        fingerprints: of configuration and data, as this version and the first one compute them; a checkpoint
            must carry one of these, and is written with the first of them.
        actors: domain readers by domain.
        monitor: where news goes.
        label: what the news is about, such as the target's name.
    """

    config: Config
    fingerprints: tuple[str, ...]
    actors: Mapping[str, Any]
    monitor: Any
    label: str


def checkpoint_name(step: int) -> str:
    """The folder of the checkpoint before `step`, below the run's."""
    return f"step-{step:07d}"


def run(given: dict[str, Assignment]) -> None:
    """The function Ray Train runs on every worker.

    An error of ours is no accident that a restart would mend: it is noted with the monitor, and the restarted
    workers return at once.
    """
    task = given["assignment"]
    if ray.get(task.monitor.fatal.remote()) is not None:
        return
    try:
        _train(task)
    except RfmetaError as error:
        ray.get(task.monitor.fail.remote(error))
        raise


def _train(task: Assignment) -> None:
    config = task.config
    torch.set_num_threads(config.training.threads)
    device = ray.train.torch.get_device() if config.training.gpus else torch.device("cpu")
    certificate = prove(config, device)
    trainer = build(config, make(config.training), device)
    if trainer.strategy.rank == 0:
        open_folder(config).write("certificate.json", certificate.to_json())
    progress = _resume(task, trainer)
    news, meter = News(task, trainer), StepMeter(config.run.name, trainer.strategy.rank)

    def after_step(row: Row) -> None:
        news.tell(row)
        meter.step(row)

    hooks = Hooks(
        after_step=after_step,
        checkpoint=lambda done: _save(task, trainer, done),
        not_finite=lambda step, keys: _note(task, trainer, step, keys),
    )
    train(config, trainer, RayBatches(task.actors), hooks, progress, device)


def _resume(task: Assignment, trainer: Trainer) -> Progress:
    latest = ray.train.get_checkpoint()
    if latest is None:
        return Progress()
    with latest.as_directory() as folder:
        return checkpoint.load(Path(folder), trainer, task.fingerprints)


def _note(task: Assignment, trainer: Trainer, step: int, keys: Keys) -> None:
    """Write down which samples this worker held when something was not finite."""
    name = f"not_finite/step-{step:07d}-worker-{trainer.strategy.rank}.json"
    open_folder(task.config).write(name, json.dumps(keys, indent=1).encode())


class News:
    """Sends the steps' rows to the monitor: from the first worker, and a few at a time if steps are short."""

    def __init__(self, task: Assignment, trainer: Trainer) -> None:
        self._task = task
        self._silent = trainer.strategy.rank != 0
        self._rows: list[Row] = []
        self._sent = time.monotonic()

    def tell(self, row: Row) -> None:
        """Send the row, now or soon."""
        if self._silent:
            return
        training = self._task.config.training
        self._rows.append({"label": self._task.label, "steps": training.steps, **row})
        if row["step"] + 1 == training.steps or time.monotonic() - self._sent > NEWS_S:
            self._task.monitor.push.remote(self._rows)
            self._rows, self._sent = [], time.monotonic()


def _save(task: Assignment, trainer: Trainer, done: Progress) -> None:
    """Report to Ray Train, with a checkpoint from rank 0; every rank must call it, it is a barrier."""
    moments = trainer.strategy.moments()
    with ExitStack() as stack:
        saved = None
        try:
            if trainer.strategy.rank == 0:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rfmeta-checkpoint-"))
                checkpoint.save(Path(folder), trainer, moments, done, task.fingerprints[0])
                saved = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"step": done.step}, saved, checkpoint_dir_name=checkpoint_name(done.step))
        except OSError as error:
            full = error.errno == errno.ENOSPC
            raise StorageError(
                f"the checkpoint at step {done.step} cannot be written: {error.strerror or error}",
                "free some disk space and start the same run again; it resumes"
                if full
                else "check run.folder and its credentials, then start the same run again; it resumes",
            ) from error
