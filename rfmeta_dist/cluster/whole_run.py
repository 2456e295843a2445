"""Train a run to its last step, finish its model and judge it on its target, in a lane.

`rfmeta train` uses the same parts without a lane (train.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.cluster import judging, streams, worker
from rfmeta_dist.cluster.monitor import JUDGING, NOTICE
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DivergedError
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.detectors import start
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs.fingerprint import fingerprint, first_fingerprint
from rfmeta_dist.storage import lease
from rfmeta_dist.training import checkpoint, kept, trend
from rfmeta_dist.verification.certificate import Proofs

LEFT = ("checkpoint_manager_snapshot.json", ".validate_storage_marker")  # Ray's files in an old run's folder


def assignment(
    config: Config,
    manifests: Mapping[str, Manifest],
    token: str,
    label: str,
    monitor: Any,
    actors: streams.Actors,
) -> worker.Assignment:
    """Return what the workers of a run are given, to train it to its last step.

    Args:
        config: the run's, whose folder was claimed (prepare.py).
        manifests: the manifests of its sources.
        token: token of the driver's lease of the run's folder.
        label: name that the rows and messages carry.
        monitor: handle of the actor that collects them.
        actors: reading actors, from `streams.start`.

    Raises:
        RunError: start.json is damaged.
        StorageError: the folder cannot be read or written.
    """
    folder = runs.open_folder(config)
    for name in LEFT:
        folder.delete(name)
    hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
    begun = start.recorded(folder)
    own = fingerprint(config, hashes, begun.package if begun else None)
    fingerprints = (own, first_fingerprint(runs.first_config(folder), hashes))
    opened = streams.opened(actors, config, hashes)
    return worker.Assignment(config, fingerprints, opened, monitor, label, token, folder, config.training.steps)


def finish_training(task: worker.Assignment, say: Callable[[str], None]) -> None:
    """Write the metrics of a run that is trained.

    Args:
        task: what the workers were given.
        say: called with a message if the loss has not fallen.

    Raises:
        RunError: the checkpoint is damaged, or another driver has taken the run over.
        StorageError: the folder cannot be read or written.
    """
    folder, last = task.leased, task.until
    lease.require(folder, task.lease)
    end = kept.folder_name(last)
    trained = checkpoint.read(folder.sub(end), last)
    if line := trend.of_run(task.config, trained.progress.metrics):
        say(line)
    folder.write("metrics.jsonl", folder.read(f"{end}/metrics.jsonl"))


@dataclass(frozen=True)
class Task:
    """A run that a lane is to train, finish and judge; see `tasks.Task`.

    Attributes:
        config: the run's.
        lease: token of the driver's lease of the run's folder.
        monitor: handle of the actor that collects rows and messages for the driver.
        assignment: what the workers train with; None if the run has a model already and is only judged.
    """

    config: Config
    lease: str
    monitor: Any
    assignment: worker.Assignment | None

    def begin(self, *, first: bool) -> WholeRun:
        """Return the run as one of the lane's workers does it."""
        return WholeRun(self, first=first)


class WholeRun:
    """A run as one of a lane's workers does it; see `tasks.Doing`.

    Args:
        task: the run.
        first: True for the first of the lane's workers, which alone writes and judges.
    """

    def __init__(self, task: Task, *, first: bool) -> None:
        self._task, self._config, self.first = task, task.config, first
        self._folder = runs.open_folder(task.config)

    def train(self, proofs: Proofs) -> None:
        """Train to the last step. The trainer is freed, because the model is made of the last checkpoint."""
        if self._task.assignment:
            worker.train_on(self._task.assignment, proofs)

    def count(self) -> None:
        """Add what was read of the sources to the run's totals."""
        if self._task.assignment:
            lease.require(self._folder, self._task.lease)
            runs.add_streams(self._folder, streams.close(self._task.assignment.streams))

    def judge(self, trained: None) -> dict[str, Any]:  # noqa: ARG002
        """Make the run's model, judge it, and return the content of evaluation.json."""
        config, folder, device = self._config, self._folder, str(worker.device_of(self._config))
        worker.require_folder(folder, self._task.lease)
        self._tell({"state": JUDGING})
        if self._task.assignment:
            finish_training(self._task.assignment, self._say)
            judging.finish(config, folder, device)
        return judging.evaluate(config, folder, device)

    def diverged(self, error: DivergedError) -> None:
        """Raise the error, because nothing of the run can be judged."""
        raise error

    def _say(self, text: str) -> None:
        self._tell({NOTICE: text})

    def _tell(self, row: Mapping[str, Any]) -> None:
        self._task.monitor.push.remote([{"label": self._config.run.name, **row}])
