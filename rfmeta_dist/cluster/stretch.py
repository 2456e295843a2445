"""Do one order of a study in a lane's workers: train, judge the model, store its figures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.cluster import streams, worker
from rfmeta_dist.cluster.errors import ours, out_of_memory
from rfmeta_dist.cluster.monitor import JUDGING
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError, DivergedError, RfmetaError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.manifest import GoneError
from rfmeta_dist.evaluation import figures, scoring, thresholds
from rfmeta_dist.recipes import gradient
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import pins
from rfmeta_dist.runs.fingerprint import fingerprint
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.training.step import Trainer
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import with_target
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.verification.certificate import Proofs


@dataclass(frozen=True)
class Place:
    """Where a study reads and writes.

    Attributes:
        folder: URL of the folder below which figures are stored.
        manifests: fingerprint of the manifest that the study reads, by domain.
        leased: the folder that holds the study's trainings, whose lease the driver has.
        lease: token of that lease.
        study: the study's name.
    """

    folder: str
    manifests: Mapping[str, str]
    leased: Store
    lease: str
    study: str = ""

    def store(self, figure: str, result: results.Result) -> None:
        """Store a figure, if the driver still holds the lease.

        Raises:
            RunError: another driver has taken the study over.
            StorageError: the folder cannot be read or written.
        """
        lease.require(self.leased, self.lease)
        results.write(open_store(self.folder), figure, result)


@dataclass(frozen=True)
class Task:
    """An order of a study, for a lane.

    Attributes:
        order: the order.
        streams: where to ask for its batches.
        place: the study's.
        monitor: handle of the actor that collects rows and messages for the driver.
    """

    order: Order
    streams: streams.Streams
    place: Place
    monitor: Any

    def begin(self, *, first: bool) -> Stretch:
        """See `tasks.Task`."""
        return Stretch(self, first=first)


@dataclass(frozen=True)
class Judged:
    """What went wrong while a model was judged.

    Attributes:
        memory: why judging needed too much memory, by name of the figure that is missing for it.
        error: the first other error; None if there was none.
    """

    memory: Mapping[str, str]
    error: RfmetaError | None


class Stretch:
    """One order, as one of a lane's workers does it; see `tasks.Doing`.

    Args:
        task: the order.
        first: True for the first of the lane's workers, which alone writes and judges.
    """

    def __init__(self, task: Task, *, first: bool) -> None:
        self._task, self._place, self.first = task, task.place, first
        self._order: Order = task.order
        self._config: Config = task.order.config
        self._folder = runs.open_folder(self._config)
        self._sources: Sources | None = None
        self._began, self._steps = time.monotonic(), 0

    def train(self, proofs: Proofs) -> Trainer:
        """Train to the order's step. All workers of the lane call this together.

        Raises:
            DivergedError: loss or gradient is not finite; every worker raises it at the same step.
            RfmetaError: another error, which one worker may raise while others wait for it in a sum.
        """
        config, place = self._config, self._place
        if self.first:
            self._sources = self._claim()
        hashes = {name: place.manifests[name] for name in config.data.sources}
        task = worker.Assignment(
            config,
            (fingerprint(config, hashes),),
            self._task.streams,
            self._task.monitor,
            config.run.name,
            place.lease,
            place.leased,
            self._order.until,
            place.study,
        )
        trainer, begun = worker.train_on(task, proofs)
        self._steps = self._order.until - begun
        return trainer

    def _claim(self) -> Sources:
        """Check the sources, claim the run's folder and pin the study's data there."""
        config, place = self._config, self._place
        judged = [name for name in self._order.figures if name != results.SOURCES]
        pinned = {name: place.manifests[name] for name in (*config.data.sources, *judged)}
        worker.require_folder(place.leased, place.lease)
        try:
            manifests = domains.open_sources(config, pinned)
        except GoneError as error:
            raise _deleted(error) from error
        first = not runs.claim(self._folder, config)
        # Another study may have judged the same training on other data of these domains.
        pins.add(self._folder, pinned, replace=judged)
        for name, manifest in manifests.items() if first else ():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(self._folder, "training", name, "train", samples, manifest.fingerprint, sealed=False)
        return Sources(open_store(config.data.prefix), manifests)

    def judge(self, trainer: Trainer) -> Judged:
        """Judge the model at the order's step as that of a finished run, and store the figures.

        What judging on one domain fails with costs only its own figure. The others serve other targets, and
        these must not notice anything of that domain.

        Raises:
            RfmetaError: the model cannot be judged on any domain.
        """
        memory: dict[str, str] = {}
        errors: list[RfmetaError] = []
        if not self._order.figures:
            return Judged(memory, None)
        assert self._sources is not None  # the first worker has trained it
        config, device = self._config, worker.device_of(self._config)
        detector, _ = gradient.from_trainer(trainer, config, self._sources, device)
        view = scoring.view_of(config, self._sources)
        validation = scoring.score_sources(config, self._folder, detector, self._sources, view, once=True)
        known = {"state": JUDGING, "validation": thresholds.from_sources(validation, "video").eer}
        self._task.monitor.push.remote([{"label": config.run.name, **known}])
        for judged, figure in self._order.figures.items():
            try:
                target = None
                if judged != results.SOURCES:
                    sealed = with_target(config, judged)
                    _, target = scoring.score_target(sealed, self._folder, detector, view, once=True)
                self._place.store(figure, self._result(*figures.by_video(validation, target)))
            except DivergedError as error:
                self._place.store(figure, results.diverged(error))
            except GoneError as error:
                errors.append(_deleted(error))
            except Exception as error:
                if out_of_memory(error):
                    memory[figure] = ours(error).problem
                elif isinstance(error, RfmetaError):
                    errors.append(error)
                else:
                    raise
        return Judged(memory, errors[0] if errors else None)

    def _result(self, hter: float, auc: float) -> results.Result:
        seconds = round(time.monotonic() - self._began, 3)
        return results.Result(hter, auc, steps=self._steps, seconds=seconds)

    def diverged(self, error: DivergedError) -> None:
        """Store for each figure that the training diverged."""
        for figure in self._order.figures.values():
            self._place.store(figure, results.diverged(error))

    def count(self) -> None:
        """Add what was read of the sources to the run's totals."""
        lease.require(self._place.leased, self._place.lease)
        runs.add_streams(self._folder, streams.close(self._task.streams))


def _deleted(error: GoneError) -> DataError:
    return DataError(
        f"{error.problem}, while the study ran",
        "start a new study with --set name=NEW, which reads the newest data",
    )
