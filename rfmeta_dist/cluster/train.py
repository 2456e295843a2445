"""`rfmeta train` and `rfmeta evaluate`: a run from its configuration to its model, and on to its figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import ray

from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster import streams, worker
from rfmeta_dist.cluster.fit import fit
from rfmeta_dist.cluster.monitor import News
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError, RfmetaError, StorageError
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.training import checkpoint, trend
from rfmeta_dist.training import folder as runs


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
    config: Config,
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = monitors.log_notice,
    monitor: Any = None,
    local: bool = False,
) -> Store:
    """Train to the last step, or go on from the newest whole checkpoint, then finish the model on its sources.

    Args:
        config: the run.
        on_news: called with every step's row, unless a monitor is given.
        on_notice: called with every line for people, unless a monitor is given.
        monitor: an actor that somebody else watches; its rows are labelled with the run's name.
        local: whether the cluster is our own (see session.py).

    Returns:
        The run's folder; it holds a model.

    Raises:
        RunError: another process is training this run.
        RfmetaError: of every other kind; the run can be started again and resumes.
    """
    folder, manifests = prepare(config)
    if folder.exists("model/package.json"):
        return folder
    with lease.held(folder, "trained") as right, ExitStack() as stack:
        label = config.run.name if monitor is not None else config.data.target
        if monitor is None:
            monitor = monitors.start()
            stack.enter_context(monitors.watched(monitor, on_news, on_notice))

        def say(text: str) -> None:
            monitor.push.remote([{"label": label, monitors.NOTICE: text}])

        hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
        actors = streams.start(config, hashes)
        fingerprint = runs.fingerprint(config, hashes)
        task = worker.Assignment(config, fingerprint, actors, monitor, label, right.token)
        _fit(task, folder, say, local)
        lease.require(folder, right.token)
        last = checkpoint.folder_name(config.training.steps)
        trained = checkpoint.read(folder.sub(last), config.training.steps)
        if line := trend.no_better(trained.progress.metrics):
            say(line)
        folder.write("metrics.jsonl", folder.read(f"{last}/metrics.jsonl"))
        streams.got(ray.remote(**_resources(config))(_finish).remote(config, folder, last))
    return folder


def evaluate_run(config: Config, folder: Store) -> dict[str, Any]:
    """Judge a finished run on its sealed target; returns the content of evaluation.json.

    Raises:
        RunError: another process is training or judging this run; both would write its ledger.
        RfmetaError: of every other kind.
    """
    task = ray.remote(**_resources(config))(_evaluate)
    with lease.held(folder, "judged"):
        result: dict[str, Any] = streams.got(task.remote(config, folder))
    return result


def _fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], local: bool) -> None:
    for left in ("checkpoint_manager_snapshot.json", ".validate_storage_marker"):
        folder.delete(left)  # Ray's, from a start by an earlier version
    failure: RfmetaError | None = None
    try:
        fit(task, folder, say, local=local)
    except RfmetaError as error:
        failure = error
    try:
        runs.add_streams(folder, streams.totals(task.actors))
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
