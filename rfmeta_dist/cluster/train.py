"""`rfmeta train` and `rfmeta evaluate`: train the model of a configuration, and judge it on its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rfmeta_dist.cluster import features, judging, room, streams, whole_run, worker
from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster.apart import in_task
from rfmeta_dist.cluster.fit import fit
from rfmeta_dist.cluster.monitor import News
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError, StorageError
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tracking.follow import followed


def train_run(
    config: Config,
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = monitors.log_notice,
    local: bool = False,
) -> Store:
    """Train a run to its last step, from its newest intact checkpoint if there is one, and finish its model.

    To finish a model means to recalibrate it and to set its thresholds on the sources. If the run has a model
    already, only a change of its target is written to its configuration, and Ray need not run.

    Args:
        config: the run.
        on_news: called with the row of each step. Its label is the target's name, or the run's without one.
        on_notice: called with each message for the user.
        local: True if this process started the cluster (see session.py).

    Returns:
        The run's folder, which holds a model.

    Raises:
        RunError: another process is training this run.
        RfmetaError: anything else failed. The same call continues the run.
    """
    folder = runs.open_folder(config)
    runs.is_started(folder, config)  # raises an error before a lease is written into another run's folder
    with lease.held(folder, "trained") as right:
        manifests = prepare(config).manifests
        if folder.exists(runs.MODEL):
            return folder
        label, monitor = config.data.target or config.run.name, monitors.start()

        def say(text: str) -> None:
            monitor.push.remote([{"label": label, monitors.NOTICE: text}])

        with (
            followed({label: config}, on_news, on_notice) as shown,
            monitors.watched(monitor, shown, on_notice),
        ):
            if config.method.facts.kind == "features":
                features.fit(config, folder, say)
                in_task(config, say, folder, right, judging.finish)
                return folder
            room.wait_for_room(room.for_training(config), say, config.training.wait_s)
            actors = streams.start([config])
            task = whole_run.assignment(config, manifests, right.token, label, monitor, actors)
            _fit(task, folder, say, local)
            whole_run.finish_training(task, say)
            if local and not config.training.gpus:
                judging.finish(config, folder, "cpu")  # this process is idle, and has imported torch
            else:
                in_task(config, say, folder, right, judging.finish)
    return folder


def evaluate_run(
    config: Config, folder: Store, *, on_notice: Callable[[str], None] = monitors.log_notice
) -> dict[str, Any]:
    """Judge a trained run on its target domain, on a cluster, and return the content of evaluation.json.

    A run that was trained on GPUs is judged on a CPU if the cluster has no GPU. Without a cluster,
    `judging.evaluate_here` does the same.

    Args:
        config: the run.
        folder: the run's folder.
        on_notice: called with each message for the user.

    Raises:
        RunError: another process is training or judging this run, and both would write its ledger.
        RfmetaError: anything else failed.
    """
    with lease.held(folder, "judged") as right:
        result: dict[str, Any] = in_task(config, on_notice, folder, right, judging.evaluate)
    return result


def _fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], local: bool) -> None:
    failure: RfmetaError | None = None
    try:
        fit(task, folder, say, local=local)
    except RfmetaError as error:
        failure = error
    try:
        runs.add_streams(folder, streams.close(task.streams))
    except StorageError as error:
        failure = failure or error  # report the error that ended the run, if there was one
    if failure is not None:
        raise failure
