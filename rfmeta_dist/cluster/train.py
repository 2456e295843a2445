"""`rfmeta train` and `rfmeta evaluate`: a run from its configuration to its model, and on to its figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer

from rfmeta_dist.cluster import room, streams, worker
from rfmeta_dist.cluster.errors import got, ours
from rfmeta_dist.cluster.monitor import Monitor, News, watched
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.errors import DataError, RfmetaError, StorageError
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.storage.store import Store, open_store
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


def open_sources(config: Config) -> dict[str, Manifest]:
    """The manifests of the source domains, fit for balanced training; the target's stays closed.

    Raises:
        DataError: a domain is unknown or damaged, has one class only, or no crops of the configured size.
        StorageError: the prefix cannot be read.
    """
    store = open_store(config.data.prefix)
    manifests = {name: Manifest.open(store, name) for name in config.data.sources}
    for name, manifest in manifests.items():
        for split in ("train", "validation"):
            for label in (1, 0):
                manifest.stream(split, label)
        if manifest.image_size < config.data.image_size:
            raise DataError(
                f"domain {name} holds crops of {manifest.image_size} pixels, "
                f"data.image_size asks for {config.data.image_size}",
                f"set data.image_size={manifest.image_size}, or ingest larger crops",
            )
    return manifests


def prepare(config: Config) -> tuple[Store, dict[str, Manifest]]:
    """Check the sources and take the run's folder; needs no Ray, so a mistake shows before it starts.

    Raises:
        RfmetaError: the sources are unfit, or the folder cannot be written or belongs to another run.
    """
    folder, manifests = runs.open_folder(config), open_sources(config)
    if not runs.claim(folder, config):
        for name, manifest in manifests.items():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(folder, "training", name, "train", samples, manifest.fingerprint, sealed=False)
    return folder, manifests


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
    folder, manifests = prepare(config)
    if folder.exists("model/package.json"):
        return folder
    room.wait_for_room(room.for_training(config))
    if monitor is None:
        monitor = Monitor.remote()
        with watched(monitor, on_news):
            _fit(config, folder, manifests, monitor, local)
    else:
        _fit(config, folder, manifests, monitor, local)
    last = worker.checkpoint_name(config.training.steps)
    folder.write("metrics.jsonl", folder.read(f"{last}/metrics.jsonl"))
    _judging(config, _finish, folder, last)
    return folder


def evaluate_run(config: Config, folder: Store) -> dict[str, Any]:
    """Judge a finished run on its sealed target; returns the content of evaluation.json.

    A run trained on GPUs is judged on a CPU where the cluster has no GPU.
    """
    result: dict[str, Any] = _judging(config, _evaluate, folder)
    return result


def _judging(config: Config, work: Callable[..., Any], *given: Any) -> Any:
    """Call `work` with the configuration, what is given and a device, in a process on any machine."""
    ask = room.for_judging(config)
    room.wait_for_room(ask)
    gpus = ask.each.get("GPU", 0)
    # A Tune trial that calls holds no slots for its children: they are scheduled on their own.
    task = ray.remote(num_cpus=1, num_gpus=gpus, scheduling_strategy="DEFAULT")(work)
    return got(task.remote(config, *given, "cuda" if gpus else "cpu"))


def _fit(config: Config, folder: Store, manifests: dict[str, Manifest], monitor: Any, local: bool) -> None:
    hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
    actors = streams.start(config, hashes)
    assignment = worker.Assignment(
        config, runs.fingerprint(config, hashes), actors, monitor, config.data.target
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
        failure = ours(error, f"training of {folder.url} failed")
    failure = ray.get(monitor.fatal.remote()) or failure
    try:
        runs.add_streams(folder, streams.totals(actors))
    except StorageError as error:
        failure = failure or error  # what ended the run is what there is to tell
    if failure is not None:
        raise failure


def _finish(config: Config, folder: Store, checkpoint: str, device: str) -> None:
    import torch

    from rfmeta_dist.evaluation.judge import finish

    torch.set_num_threads(config.training.threads)
    finish(config, folder, checkpoint, torch.device(device))


def _evaluate(config: Config, folder: Store, device: str) -> dict[str, Any]:
    import torch

    from rfmeta_dist.evaluation.judge import evaluate

    torch.set_num_threads(config.training.threads)
    return evaluate(config, folder, torch.device(device))
