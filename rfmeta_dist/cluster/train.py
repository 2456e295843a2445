"""`rfmeta train` and `rfmeta evaluate`: a run from its configuration to its model, and on to its figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ray
import ray.train
from ray.train.torch import TorchTrainer

from rfmeta_dist.cluster import streams, worker
from rfmeta_dist.cluster.monitor import Monitor, News, watched
from rfmeta_dist.cluster.session import last_line
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.errors import ClusterError, RfmetaError, RunError, StorageError
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import domains, pins
from rfmeta_dist.training import folder as runs

RESTARTS = 3  # of the workers, from the latest checkpoint
KEEP_CHECKPOINTS = 2


class _Trainer(TorchTrainer):  # type: ignore[misc]  # Ray is not typed
    """One that Ctrl-C interrupts as it does any command; Ray's own handler would exit with success."""

    def _register_sigint_handler(self, controller: Any) -> None:
        pass


class _LocalTrainer(_Trainer):
    """On a cluster of our own, without the watchdog that frees a dead driver's workers.

    The cluster ends with the driver anyway, and the watchdog needs the dashboard, which is not running.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [c for c in callbacks if type(c).__name__ != "PlacementGroupCleanerCallback"]


class Prepared(NamedTuple):
    """A run whose domains are fit for it.

    Attributes:
        folder: the run's.
        manifests: of the sources, in the state that the run reads; none if its model is there already.
        pins: the fingerprint of the manifest to read, for each domain.
        deleted: the target, if the state that it was pinned to is no longer stored.
        notes: what the user should know, a line each.
    """

    folder: Store
    manifests: dict[str, Manifest]
    pins: dict[str, str]
    deleted: tuple[str, ...]
    notes: list[str]


def look(config: Config) -> Prepared:
    """Check the domains of a run, and that its folder is free or its own; nothing is written.

    Raises:
        RfmetaError: a domain is unfit, or the folder belongs to another run.
    """
    folder = runs.open_folder(config)
    started = runs.is_started(folder, config)
    # Runs that are compared are pinned before they start.
    pinned = pins.read(folder) if started or folder.exists(pins.FILE) else {}
    trained = folder.exists(runs.MODEL)
    manifests = {} if trained else domains.open_sources(config, pinned)
    target = domains.open_target(config, pinned)
    whole = {**pinned, **{name: m.fingerprint for name, m in manifests.items()}}
    whole[target.domain] = target.fingerprint
    deleted = (target.domain,) if pinned.get(target.domain, target.fingerprint) != target.fingerprint else ()
    notes = domains.news_of(config, {**pinned, target.domain: target.fingerprint}) if started else []
    notes += [f"the data of target {name} that was pinned was deleted; the newest is used" for name in deleted]
    return Prepared(folder, manifests, whole, deleted, notes)


def prepare(config: Config) -> Prepared:
    """Check the domains, take the run's folder and pin the data.

    It needs no Ray, so that a mistake shows before Ray starts. An earlier start of the run is gone on with; if
    it was to be judged on another target, its configuration is corrected.

    Raises:
        RfmetaError: a domain is unfit, or the folder cannot be written or belongs to another run.
    """
    found = look(config)
    folder = found.folder
    first = not runs.claim(folder, config)
    if not pins.add(folder, found.pins, replace=found.deleted).items() >= found.pins.items():
        raise RunError(
            f"run {folder.url} was started by two processes at the same moment, on different data",
            "start the same command again: it reads what the first of them pinned",
        )
    if first:
        for name, manifest in found.manifests.items():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(folder, "training", name, "train", samples, manifest.fingerprint, sealed=False)
    elif runs.judge_on(folder, config):
        split = config.evaluation.target_split
        found.notes.append(f"the run is judged on {config.data.target} (split: {split}) from now on")
    return found


def pin_together(configs: Sequence[Config]) -> list[str]:
    """Check the domains of runs that will be compared, and pin all to what the first with these domains reads.

    Without it, runs of one comparison that start before and after data have landed would differ in their data.

    Returns:
        What the user should know, a line each.

    Raises:
        RfmetaError: a domain is unfit, or the folder of a run belongs to another.
    """
    found: dict[tuple[str, ...], Prepared] = {}
    for config in configs:
        domains_of = (*config.data.sources, config.data.target)
        if domains_of not in found:
            found[domains_of] = look(config)
        pins.add(runs.open_folder(config), found[domains_of].pins)
    return list(dict.fromkeys(note for run in found.values() for note in run.notes))


def train_run(
    config: Config, on_news: Callable[[News], None], *, monitor: Any = None, local: bool = False
) -> Store:
    """Train to the last step, or go on from the latest checkpoint, then finish the model on its sources.

    Args:
        config: the run.
        on_news: called with every step's row, unless a monitor is given.
        monitor: an actor that somebody else watches.
        local: whether the cluster is our own (see session.py).

    Returns:
        The run's folder; it holds a model.

    Raises:
        RfmetaError: of every kind; the run can be started again and resumes.
    """
    folder, manifests, *_ = prepare(config)
    if folder.exists(runs.MODEL):
        return folder
    if monitor is None:
        monitor = Monitor.remote()
        with watched(monitor, on_news):
            _fit(config, folder, manifests, monitor, local)
    else:
        _fit(config, folder, manifests, monitor, local)
    last = worker.checkpoint_name(config.training.steps)
    folder.write("metrics.jsonl", folder.read(f"{last}/metrics.jsonl"))
    streams.got(ray.remote(**_resources(config))(_finish).remote(config, folder, last))
    return folder


def evaluate_run(config: Config, folder: Store) -> dict[str, Any]:
    """Judge a finished run on its sealed target; returns the content of evaluation.json."""
    task = ray.remote(**_resources(config))(_evaluate)
    result: dict[str, Any] = streams.got(task.remote(config, folder))
    return result


def _fit(config: Config, folder: Store, manifests: dict[str, Manifest], monitor: Any, local: bool) -> None:
    hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
    actors = streams.start(config, hashes)
    assignment = worker.Assignment(
        config,
        runs.fingerprint(runs.as_begun(folder, config), hashes),
        actors,
        monitor,
        config.data.target,
    )
    settings, training = config.run, config.training
    trainer = (_LocalTrainer if local else _Trainer)(
        worker.run,
        train_loop_config={"assignment": assignment},
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.workers,
            use_gpu=training.gpus > 0,
            resources_per_worker={"CPU": 1, **({"GPU": training.gpus} if training.gpus else {})},
        ),
        run_config=ray.train.RunConfig(
            name=settings.name,
            storage_path=settings.folder,
            failure_config=ray.train.FailureConfig(max_failures=RESTARTS, controller_failure_limit=RESTARTS),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=KEEP_CHECKPOINTS),
            worker_runtime_env={
                "env_vars": {
                    "OMP_NUM_THREADS": str(training.threads),
                    "TORCH_CPP_LOG_LEVEL": "ERROR",
                    **KEEP_MEMORY,
                }
            },
            logging_config=ray.train.LoggingConfig("ERROR"),
        ),
    )
    failure: RfmetaError | None = None
    try:
        trainer.fit()
    except Exception as error:  # noqa: BLE001  whatever Ray wraps it in, our own error tells more
        failure = ClusterError(
            f"training of {folder.url} failed: {_innermost(error)}",
            "start the same run again, it resumes from its latest checkpoint; Ray's logs tell more",
        )
        failure.__cause__ = error
    failure = ray.get(monitor.fatal.remote()) or failure
    try:
        runs.add_streams(folder, streams.totals(actors))
    except StorageError as error:
        failure = failure or error  # what ended the run is what there is to tell
    if failure is not None:
        raise failure


def _finish(config: Config, folder: Store, checkpoint: str) -> None:
    import torch

    from rfmeta_dist.evaluation.judge import finish

    torch.set_num_threads(config.training.threads)
    finish(config, folder, checkpoint, _device(config))


def _evaluate(config: Config, folder: Store) -> dict[str, Any]:
    import torch

    from rfmeta_dist.evaluation.judge import evaluate

    torch.set_num_threads(config.training.threads)
    return evaluate(config, folder, _device(config))


def _device(config: Config) -> Any:
    import torch

    return torch.device("cuda" if config.training.gpus else "cpu")


def _resources(config: Config) -> dict[str, Any]:
    # A Tune trial that calls holds no slots for its children: they are scheduled on their own.
    return {"num_cpus": 1, "num_gpus": config.training.gpus, "scheduling_strategy": "DEFAULT"}


def _innermost(error: Exception) -> str:
    """The innermost message in one line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return last_line(error)
