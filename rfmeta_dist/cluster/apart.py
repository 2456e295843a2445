"""Finish or judge the model of a run in a process of its own, on any machine of the cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray

from rfmeta_dist.cluster import room, worker
from rfmeta_dist.cluster.errors import got
from rfmeta_dist.config.schema import Config
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store


def in_task(
    config: Config,
    say: Callable[[str], None],
    folder: Store,
    right: lease.Lease,
    work: Callable[..., Any],
) -> Any:
    """Call `work(config, folder, device)` in a process on any machine of the cluster, and return its result.

    Args:
        config: the run's.
        say: called with each message for the user.
        folder: the run's.
        right: this process's lease of the folder.
        work: a function of judging.py.

    Raises:
        RfmetaError: `work` raised this error.
        RayError: anything else failed.
    """
    ask = room.for_judging(config, say)
    room.wait_for_room(ask, say)
    gpus = ask.each.get("GPU", 0)
    # If a Tune trial calls this, it has reserved no slots, so the task must not join its placement group.
    task = ray.remote(num_cpus=1, num_gpus=gpus, scheduling_strategy="DEFAULT")(worker.judge)
    return got(task.remote(work, config, folder, right.token, "cuda" if gpus else "cpu"))
