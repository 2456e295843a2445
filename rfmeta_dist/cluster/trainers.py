"""Ray Train's trainer as this package uses it, without the processes of Ray Train that have no work here.

Each such process is a Python process that imports Ray Train, which takes a second of a core. Ray Train has no
settings that leave them out, so methods of its internal classes are overridden; the version of Ray is pinned.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import ray
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup

LOGS = "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING"
POLL_S, SHARE = 2.0, 0.01  # longest time between two questions to the workers; share of the time that they ran


class Trainer(TorchTrainer):  # type: ignore[misc]  # Ray is not typed
    """A trainer that Ctrl-C interrupts like any command; Ray's own handler would exit with success.

    It starts no manager of Ray's data sets, because workers get their batches from readers of ours.
    """

    unused = frozenset({"DatasetsCallback"})

    def _register_sigint_handler(self, controller: Any) -> None:
        pass

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [c for c in callbacks if type(c).__name__ not in self.unused]


class LocalTrainer(Trainer):
    """A trainer for a local cluster, which ends with this process and does not grow.

    The controller runs in this process, unless an event loop runs in this thread, as in a notebook: a thread
    can run only one, and the controller needs its own. There is no watchdog that frees the workers of a dead
    driver (it would also need the dashboard, which is not running), and no coordinator that requests machines.
    """

    unused = Trainer.unused | {"PlacementGroupCleanerCallback"}

    def _initialize_and_run_controller(self, **given: Any) -> Any:
        if _in_event_loop():
            return super()._initialize_and_run_controller(**given)
        # Ray's log handlers would print the traceback of every error here; `fit` explains errors in one line.
        os.environ[LOGS] = "0"
        logging.getLogger("ray.train").setLevel(logging.CRITICAL)
        controller = _Controller(**{**given, "scaling_policy": _Fixed(self.scaling_config)})
        loop = asyncio.new_event_loop()  # asyncio.run would not let Ctrl-C interrupt a call that waits for Ray
        try:
            loop.run_until_complete(controller.run())
        finally:
            loop.close()
        return controller.get_result()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Fixed(FixedScalingPolicy):  # type: ignore[misc]
    """Asks for the workers once, without a request to an autoscaler."""

    def after_controller_start(self, train_run_context: Any) -> None:
        pass

    def _maybe_send_resource_request(self) -> None:
        pass


class _Group(WorkerGroup):  # type: ignore[misc]
    """A group whose controller is no actor, so that workers cannot call it. They have no reason to."""

    def _init_train_context_on_workers(
        self, workers: Any, sync_actor: Any, given: dict[str, list[Any]]
    ) -> None:
        ray.get(
            [
                worker.actor.init_train_context.remote(
                    train_run_context=self._train_run_context,
                    distributed_context=worker.distributed_context,
                    synchronization_actor=sync_actor,
                    storage_context=self._storage_context,
                    worker_callbacks=self._worker_callbacks_to_propagate,
                    controller_actor=None,
                    **{name: values[i] for name, values in given.items()},
                )
                for i, worker in enumerate(workers)
            ]
        )


class _Controller(TrainController):  # type: ignore[misc]
    """Asks the workers less often whether they have ended, the longer they have been running.

    Every question takes this process and each worker some milliseconds of CPU time. The end of a run is noticed
    late by at most one percent of its duration, and by at most `POLL_S`.
    """

    worker_group_cls = _Group

    def __init__(self, **given: Any) -> None:
        self._began = time.monotonic()
        super().__init__(**given)
        self._shortest_s: float = self._health_check_interval_s  # from the environment variable in session.py

    async def _poll_workers(self) -> Any:
        wait_s = min(SHARE * (time.monotonic() - self._began), POLL_S)
        self._health_check_interval_s = max(wait_s, self._shortest_s)
        return await super()._poll_workers()
