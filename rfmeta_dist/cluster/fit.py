"""Run the workers under Ray Train: start them, restart them when one is lost, and end after too many restarts.

Ray Train restarts workers by itself, a few times in a run. Its own records are not used: each start is a new
experiment in a temporary folder, and the workers choose the checkpoint to continue from in the run's folder.
So a run can continue if Ray's files are lost, and restarts are counted from zero after each checkpoint.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import ray
import ray.train
from ray.util.placement_group import placement_group_table

from rfmeta_dist.cluster import room, worker
from rfmeta_dist.cluster.errors import ours, own
from rfmeta_dist.cluster.trainers import LocalTrainer, Trainer
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.periodic import periodically
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import kept

START_TIMEOUT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
PATIENT_S, LOOK_S = 5.0, 1.0  # seconds before the first message (workers usually start sooner); between looks


def fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], *, local: bool) -> None:
    """Train to the last step, from the newest intact checkpoint if there is one.

    Args:
        task: what each worker is given.
        folder: the run's.
        say: called with each message for the user.
        local: True if this process started the cluster (see session.py).

    Raises:
        RfmetaError: a worker raised this error.
        ClusterError: Ray or a worker failed, and again after `training.restarts` restarts without a new
            checkpoint, or there were no slots for all workers within `training.wait_s` seconds.
    """
    config, failures = task.config, 0
    os.environ[START_TIMEOUT] = str(config.training.wait_s)
    with tempfile.TemporaryDirectory(prefix="rfmeta-ray-") as scratch, waiting(config, say):
        while True:
            before = kept.written(folder)
            try:
                trainer(worker.run, {"assignment": task}, config, scratch, local=local).fit()
                return
            except Exception as error:
                if final := _final(error, config):
                    raise final from error
                # When fit() raises an error of workers, Ray has used up its own restarts.
                used_up = isinstance(error, ray.train.WorkerGroupError)
                # Compare the sets of checkpoints, not the newest steps: a damaged later one may be deleted.
                failures = 0 if kept.written(folder) - before else failures + 1
                if failures > (0 if used_up else config.training.restarts):
                    restarts = config.training.restarts
                    what = (
                        f"training of {folder.url} failed after {restarts} restart(s) without a new checkpoint"
                    )
                    raise ours(error, what) from error
                say("workers have failed; all workers are started again from the newest checkpoint")


def trainer(
    loop: Callable[[Any], None],
    given: Mapping[str, Any],
    config: Config,
    scratch: str,
    *,
    local: bool,
    restarts: int | None = None,
) -> Trainer:
    """Return Ray Train's trainer for a run.

    Args:
        loop: called on each worker, with `given`.
        given: passed to `loop`; Ray pickles it.
        config: the run's; says how many workers there are, and what each takes.
        scratch: folder for Ray's records.
        local: whether this process started the cluster (see session.py).
        restarts: how often Ray itself starts the workers again before `fit` of the trainer raises an error;
            `training.restarts` times if not given.
    """
    training = config.training
    return (LocalTrainer if local else Trainer)(
        loop,
        train_loop_config=dict(given),
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.workers,
            use_gpu=training.gpus > 0,
            resources_per_worker=dict(room.for_training(config).each),
        ),
        run_config=ray.train.RunConfig(
            name=f"{config.run.name}-{uuid4().hex[:8]}",
            storage_path=scratch,
            failure_config=ray.train.FailureConfig(
                max_failures=training.restarts if restarts is None else restarts,
                controller_failure_limit=0,  # `fit` counts them, because Ray counts over the whole run
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


def _final(error: Exception, config: Config) -> RfmetaError | None:
    """Return the error to end with; None if a restart may help."""
    return own(error) or no_room(error, config)


def no_room(error: BaseException, config: Config) -> RfmetaError | None:
    """Return what to say if an error of Ray Train means that the workers did not get their slots in time."""
    inner = getattr(error, "controller_failure", None)
    if type(inner).__name__ == "WorkerGroupStartupTimeoutError":  # Ray exports no name for it
        return room.late(room.for_training(config), config.training.wait_s)
    return None


@contextmanager
def waiting(
    config: Config, say: Callable[[str], None], end: str = "the run ends with an error"
) -> Iterator[None]:
    """Call `say` from a thread, while the context is open, if the workers do not get their slots.

    Args:
        config: the run's; says how many workers there are, and what each takes.
        say: called with each message for the user.
        end: what happens if they do not get them within `training.wait_s` seconds.
    """
    waited, said = 0.0, ""
    ask, limit = room.for_training(config), config.training.wait_s

    def look() -> None:
        nonlocal waited, said
        with suppress(ray.exceptions.RayError):
            waited = waited + LOOK_S if _pending(config) else 0.0
            if waited >= PATIENT_S and (text := room.missing(ask)) != said:
                said = text
                say(f"waiting for {text}; {end} after training.wait_s={limit:g} seconds")

    with periodically(LOOK_S, look):
        yield


def _pending(config: Config) -> bool:
    """Return True if this job waits for a placement group with as many slots as the run has workers.

    Runs that one job trains at the same time, such as those of a leave-one-out, cannot be distinguished.
    """
    job = ray.get_runtime_context().get_job_id()
    return any(
        group["state"] in ("PENDING", "RESCHEDULING")
        and len(group["bundles"]) == config.training.workers
        and not group["name"].startswith(room.PROBE)
        and name.endswith(job)  # an id of a placement group ends with the id of the job that it belongs to
        for name, group in placement_group_table().items()
    )
