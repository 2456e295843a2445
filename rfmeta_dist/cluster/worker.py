"""The code of a Ray Train worker: build the trainer for its rank, load a checkpoint if there is one, train."""

from __future__ import annotations

import errno
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ray
import ray.train
import torch

from rfmeta_dist.cluster.meters import Begun, TrainMeter
from rfmeta_dist.cluster.monitor import NOTICE
from rfmeta_dist.cluster.streams import RayBatches, Streams
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError, StorageError
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.detectors import start
from rfmeta_dist.runs import starts
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.training import checkpoint, kept, precision
from rfmeta_dist.training.begin import begin
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import Course, phase_of, train_phases
from rfmeta_dist.training.kept import Found
from rfmeta_dist.training.loop import Hooks, Keys
from rfmeta_dist.training.step import Trainer
from rfmeta_dist.verification.certificate import Proofs

T = TypeVar("T")

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NEWS_S = 0.5  # seconds between messages; each takes three processes some milliseconds of CPU time


@dataclass(frozen=True)
class Assignment:
    """Everything that a worker is given.

    Attributes:
        config: the run's.
        fingerprints: two fingerprints of configuration and data: as this version computes it, and as the first
            version did. A checkpoint is loaded if it has either of them, and is written with the first.
        streams: where to ask for the batches.
        monitor: handle of the actor that collects rows and messages for the driver.
        label: name that the rows and messages carry: the target's or the run's.
        lease: token of the driver's lease.
        leased: the folder of that lease: the run's, or one that holds several runs.
        until: step to train to, at most `training.steps`.
        study: name of the study under which the training is counted; "" for a run.
        trace: trace id of the driver, for the record of starts.
    """

    config: Config
    fingerprints: tuple[str, ...]
    streams: Streams
    monitor: Any
    label: str
    lease: str
    leased: Store
    until: int
    study: str = ""
    trace: str = field(default_factory=trace_id)


class EndAtOnce(ray.train.UserCallback):  # type: ignore[misc]  # Ray is not typed
    """Ends a run at the first RfmetaError of a worker. It runs in Ray Train's controller.

    An `RfmetaError` is deterministic: it would occur again after a restart. Raised in the controller, it ends
    the run and reaches the caller of `fit` as the `controller_failure` of Ray's error.
    """

    def after_exception(self, run_context: Any, worker_exceptions: Mapping[int, Exception]) -> None:  # noqa: ARG002
        """Raise the first RfmetaError among the workers' errors."""
        for error in worker_exceptions.values():
            if isinstance(error, RfmetaError):
                raise error


def run(given: dict[str, Assignment]) -> None:
    """Train as one worker. Ray Train calls this function on every worker.

    Raises:
        RfmetaError: an error that would occur again after a restart.
    """
    with full_disk_explained():
        train_on(given["assignment"], Proofs())


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Raise a StorageError that names the machine if the body fails because a disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        place, node = error.filename or tempfile.gettempdir(), ray.util.get_node_ip_address()
        raise StorageError(
            f"the disk that holds {place} on machine {node} is full",
            "free some space there and give the same command again; the run resumes",
        ) from error


def require_folder(folder: Store, token: str) -> None:
    """Check that this machine sees the run's folder, and that the driver still holds the folder's lease.

    Raises:
        StorageError: the folder does not exist here, because the machines do not share its disk.
        RunError: another driver has taken the run over.
    """
    try:
        lease.require(folder, token)
    except MissingError:
        raise StorageError(
            f"the run's folder {folder.url} does not exist on machine {ray.util.get_node_ip_address()}, so it "
            "is on a disk that the machines of the cluster do not share",
            "set run.folder to a folder that all machines share, or to s3://…",
        ) from None


def judge(work: Callable[..., T], config: Config, folder: Store, token: str, *given: Any) -> T:
    """Call `work(config, folder, *given)` after the checks of `require_folder`, and return its result.

    Raises:
        RfmetaError: the checks failed, or `work` raised this error.
    """
    require_folder(folder, token)
    return work(config, folder, *given)


def device_of(config: Config) -> torch.device:
    """Return the device that Ray Train gave this worker."""
    device: torch.device = ray.train.torch.get_device() if config.training.gpus else torch.device("cpu")
    return device


def train_on(task: Assignment, proofs: Proofs) -> tuple[Trainer, int]:
    """Train a run from its newest intact checkpoint to `task.until`. All workers of the group call this.

    Args:
        task: the run, and how far to train it.
        proofs: the certificates that this process group has made.

    Returns:
        The trainer, whose networks are in the state of the step `task.until`, as is the newest checkpoint; and
        the step from which it was trained on.

    Raises:
        RfmetaError: an error that would occur again after a restart.
    """
    config, folder = task.config, open_folder(task.config)
    require_folder(task.leased, task.lease)
    torch.set_num_threads(config.training.threads)
    precision.set_up(config.training)
    device = device_of(config)
    certificate = proofs.of(config, device)
    course = Course(config, lambda: make(config.training), device)
    rank = course.trainer.strategy.rank
    news = News(task, rank)
    progress = _resume(task, course, device, news)
    if rank == 0:
        lease.require(task.leased, task.lease)
        folder.write("certificate.json", certificate)
        versions = {"torch": torch.__version__, "ray": ray.__version__}
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
        found = starts.facts(config, versions, gpu) | {"trace": task.trace}
        differing = starts.record(folder, progress.step, found, certificate)
        if differing:
            news.notice(
                f"this start of the run differs from the one before: {differing}. Results stay the same up to "
                "rounding"
            )
    meter = TrainMeter(config, task.study, _begun(task, course.trainer, progress.step))

    def after_step(row: StepRow) -> None:
        news.tell(row)
        meter.step(row)

    def save(done: Progress) -> None:
        began = time.monotonic()
        _save(task, course.trainer, done)
        meter.checkpoint(time.monotonic() - began)

    def not_finite(step: int, keys: Keys) -> str:
        meter.not_finite()
        return _note(task, rank, step, keys)

    hooks = Hooks(after_step=after_step, checkpoint=save, not_finite=not_finite)
    with meter.at_work():
        train_phases(config, course, RayBatches(task.streams), hooks, progress, device, task.until)
    return course.trainer, progress.step


def _begun(task: Assignment, trainer: Trainer, step: int) -> Begun:
    strategy, begun = trainer.strategy, 0
    if strategy.rank == 0 and not task.study:
        begun = len(open_folder(task.config).read(starts.NAME).splitlines())
    return Begun(strategy.rank, strategy.world, step, begun)


def _resume(task: Assignment, course: Course, device: torch.device, news: News) -> Progress:
    """Load the newest intact checkpoint, which the first worker chooses, and return its progress.

    Without a checkpoint, a run with `training.start` loads the weights of that model. Each worker reads them
    and checks their hash, so all begin with the same bits.
    """
    folder, strategy = open_folder(task.config), course.trainer.strategy
    found = kept.newest(folder, task.until) if strategy.rank == 0 else Found(None)
    step = found.saved.progress.step if found.saved else 0
    (chosen,) = strategy.sum(torch.tensor([step], dtype=torch.float64, device=device)).tolist()
    if found.left_out:
        news.notice(str(found))
    if not chosen:
        if task.config.training.start:
            begin(course.trainer, start.read_weights(task.config, folder))
        return Progress()
    if phase := phase_of(task.config, int(chosen) - 1):
        course.enter(phase)
    saved = found.saved or checkpoint.read(folder.sub(kept.folder_name(int(chosen))), int(chosen))
    return checkpoint.restore(saved, course.trainer, task.fingerprints)


def _note(task: Assignment, rank: int, step: int, keys: Keys) -> str:
    """Write the keys of this worker's samples to a file, whose folder is returned, as a loss is not finite."""
    folder, name = open_folder(task.config), f"step-{step:07d}-worker-{rank}.json"
    folder.write(f"not_finite/{name}", json.dumps(keys, indent=1).encode())
    return f"{folder.url}/not_finite/"


class News:
    """Sends rows and messages to the monitor, from the first worker only; several short steps at once."""

    def __init__(self, task: Assignment, rank: int) -> None:
        self._task = task
        self._silent = rank != 0
        self._rows: list[StepRow] = []
        self._sent = time.monotonic()

    def tell(self, row: StepRow) -> None:
        """Send the row of a step, at once or with one of the next rows."""
        if self._silent:
            return
        steps = self._task.config.training.steps
        self._rows.append({"label": self._task.label, "steps": steps, **row})
        if row["step"] + 1 == self._task.until or time.monotonic() - self._sent > NEWS_S:
            self._task.monitor.push.remote(self._rows)
            self._rows, self._sent = [], time.monotonic()

    def notice(self, text: str) -> None:
        """Send a message for the user at once."""
        if not self._silent:
            self._task.monitor.push.remote([{"label": self._task.label, NOTICE: text}])


def _save(task: Assignment, trainer: Trainer, done: Progress) -> None:
    """Write a checkpoint from rank 0. Every rank must call this, because the moments are gathered from all."""
    moments = trainer.strategy.moments()
    if trainer.strategy.rank != 0:
        return
    folder = open_folder(task.config)
    lease.require(task.leased, task.lease)
    try:
        place = folder.sub(kept.folder_name(done.step))
        checkpoint.save(place, trainer, moments, done, task.fingerprints[0])
        kept.prune(folder, done.step, task.config.training.keep, task.until)
    except StorageError as error:
        full = isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL
        raise StorageError(
            f"the checkpoint at step {done.step} cannot be written: {error.problem}",
            "free some space on that disk and give the same command again; the run resumes"
            if full
            else "check run.folder and its credentials, then give the same command again; the run resumes",
        ) from error
