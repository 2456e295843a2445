"""Run the workers under Ray Train: start them, restart them when one is lost, and end after too many restarts.

Ray Train restarts workers by itself, a few times in a run. Its bookkeeping is not used: each start gets a new
experiment in a temporary folder, and workers choose the checkpoint to continue from in the run's own folder.
So a run can continue if Ray's files are lost, and restarts are counted from zero after each checkpoint.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import ray
import ray.train
from ray.train.torch import TorchTrainer
from ray.util.placement_group import placement_group_table

from rfmeta_dist.cluster import worker
from rfmeta_dist.cluster.errors import ours, own
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.errors import ClusterError, RfmetaError
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import kept

START_TIMEOUT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
PATIENT_S, LOOK_S = 5.0, 1.0  # workers that start as usual wait less than that for their slots


class _Trainer(TorchTrainer):  # type: ignore[misc]  # Ray is not typed
    """A trainer that Ctrl-C interrupts like any command; Ray's own handler would exit with success."""

    def _register_sigint_handler(self, controller: Any) -> None:
        pass


class _LocalTrainer(_Trainer):
    """A trainer for a local cluster, without the watchdog that frees a dead driver's workers.

    The cluster ends with the driver anyway, and the watchdog needs the dashboard, which is not running.
    """

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [c for c in callbacks if type(c).__name__ != "PlacementGroupCleanerCallback"]


def fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], *, local: bool) -> None:
    """Train to the last step, from the newest whole checkpoint.

    Args:
        task: what each worker is given.
        folder: the run's.
        say: called with a line for people.
        local: whether the cluster is our own (see session.py).

    Raises:
        RfmetaError: an error of ours in a worker, as it was raised there.
        ClusterError: Ray or a worker failed, and again after `training.restarts` restarts without a new
            checkpoint, or there were no slots for all workers within `training.wait_s` seconds.
    """
    config, failures = task.config, 0
    os.environ[START_TIMEOUT] = str(config.training.wait_s)
    with tempfile.TemporaryDirectory(prefix="rfmeta-ray-") as scratch, _waiting(config, say):
        while True:
            before = _latest(folder)
            try:
                _trainer(task, scratch, local).fit()
                return
            except Exception as error:
                if final := _final(error, config, folder):
                    raise final from error
                # The errors of workers that fit() raises have used up Ray's own restarts.
                used_up = isinstance(error, ray.train.WorkerGroupError)
                failures = 0 if _latest(folder) > before else failures + 1
                if failures > (0 if used_up else config.training.restarts):
                    restarts = config.training.restarts
                    what = (
                        f"training of {folder.url} failed after {restarts} restart(s) without a new checkpoint"
                    )
                    raise ours(error, what) from error
                say("workers have failed; all workers are started again from the newest checkpoint")


def _trainer(task: worker.Assignment, scratch: str, local: bool) -> _Trainer:
    training = task.config.training
    return (_LocalTrainer if local else _Trainer)(
        worker.run,
        train_loop_config={"assignment": task},
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.workers,
            use_gpu=training.gpus > 0,
            resources_per_worker=_slot(task.config),
        ),
        run_config=ray.train.RunConfig(
            name=f"{task.config.run.name}-{uuid4().hex[:8]}",
            storage_path=scratch,
            failure_config=ray.train.FailureConfig(
                max_failures=training.restarts,
                controller_failure_limit=0,  # `fit` counts these, for Ray would count them over the whole run
            ),
            callbacks=[worker.EndAtOnce()],
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


def _slot(config: Config) -> dict[str, float]:
    gpus = config.training.gpus
    return {"CPU": 1, **({"GPU": gpus} if gpus else {})}


def _latest(folder: Store) -> int:
    """Return the step of the newest checkpoint, damaged or not; 0 if there is none."""
    return max(kept.steps(folder), default=0)


def _final(error: Exception, config: Config, folder: Store) -> RfmetaError | None:
    """Return the error to end with; None if a restart may help."""
    if mine := own(error):
        return mine
    inner = getattr(error, "controller_failure", None)
    if type(inner).__name__ == "WorkerGroupStartupTimeoutError":  # Ray exports no name for it
        training = config.training
        return ClusterError(
            f"training of {folder.url} waited {training.wait_s:.0f} s for {_missing(config)}",
            "add nodes, or set training.workers lower or training.wait_s higher, then give the same command "
            "again; the run resumes",
        )
    return None


@contextmanager
def _waiting(config: Config, say: Callable[[str], None]) -> Iterator[None]:
    """While the context is open, call `say` from a thread if the workers do not get their slots."""
    stop = threading.Event()

    def watch() -> None:
        waited, said = 0.0, ""
        while not stop.wait(LOOK_S):
            with suppress(ray.exceptions.RayError):
                waited = waited + LOOK_S if _pending(config) else 0.0
                if waited >= PATIENT_S and (text := _missing(config)) != said:
                    said = text
                    limit = config.training.wait_s
                    say(f"waiting for {text}; the run ends after training.wait_s={limit:g} seconds")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _pending(config: Config) -> bool:
    """Return True if slots for a run with this many workers were asked for and are not there yet."""
    return any(
        group["state"] in ("PENDING", "RESCHEDULING") and len(group["bundles"]) == config.training.workers
        for group in placement_group_table().values()
    )


def _missing(config: Config) -> str:
    """Return what is missing, such as "1 of 2 workers: the cluster has 1 free slot(s) of 1 CPU"."""
    slot, free, workers = _slot(config), ray.available_resources(), config.training.workers
    fits = min(math.floor(free.get(kind, 0) / amount) for kind, amount in slot.items())
    needs = " and ".join(f"{amount:g} {kind}" for kind, amount in slot.items())
    # Slots that are free in sum may lie in pieces on several nodes, so at least one worker is missing.
    return f"{max(1, workers - fits)} of {workers} workers: the cluster has {fits} free slot(s) of {needs}"
