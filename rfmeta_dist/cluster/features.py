"""Fit the detector of a run of hand-made features: features with Ray Data, fits as tasks of Ray.

Features of a domain are kept beside the runs when all of its frames are done, and the fitted classifier in the
run's folder. A command that is interrupted loses the domain that is in work, or the fits.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import ray
import ray.data

from rfmeta_dist.cluster import judging, ray_data, room
from rfmeta_dist.cluster.apart import in_task
from rfmeta_dist.cluster.errors import explained, got
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.recipes import fitted, frames
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.features import FeatureRecipe
from rfmeta_dist.recipes.frames import Order, Parts
from rfmeta_dist.recipes.machines import Data
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store

Say = Callable[[str], None]
GATHERING = threading.Lock()  # runs at the same time must not compute the same features twice


def whole_run(config: Config, say: Say, on_judging: Callable[[], None]) -> dict[str, Any]:
    """Fit the detector of a run, unless it has a model, judge it, and return the content of evaluation.json.

    Args:
        config: the run's.
        say: called with each message for the user.
        on_judging: called when the detector is fitted.

    Raises:
        RunError: another process is training or judging this run, or the folder belongs to another run.
        RfmetaError: anything else failed. The same call continues the run.
    """
    folder = runs.open_folder(config)
    runs.is_started(folder, config)  # before a lease is written into another run's folder
    with lease.held(folder, "judged" if folder.exists(runs.MODEL) else "trained") as right:
        prepare(config)
        if not folder.exists(runs.MODEL):
            fit(config, folder, say)
            on_judging()
            in_task(config, say, folder, right, judging.finish)
        else:
            on_judging()
        result: dict[str, Any] = in_task(config, say, folder, right, judging.evaluate)
        return result


def fit(config: Config, folder: Store, say: Say) -> None:
    """Fit the detector of a run, and keep it in the run's folder, unless it is there.

    Args:
        config: the run's, whose folder was claimed (prepare.py).
        folder: the run's. The caller holds its lease.
        say: called with each message for the user.

    Raises:
        ClusterError: no machine has a CPU, or Ray failed.
        DataError: a source is damaged.
        StorageError: a store cannot be read or written.
    """
    if fitted.is_whole(folder):
        return
    import sklearn  # noqa: F401  so that a missing package is reported before features are computed

    sources, context = Sources.of(config, folder), Context.of(config)
    recipe = FeatureRecipe(open_store(config.run.folder), extracted, _spread, say)
    room.wait_for_room(room.for_tasks(f"fitting {config.run.name}"), say, config.training.wait_s)
    with GATHERING:
        began = time.monotonic()  # what other runs took before is no time of this one
        recipe.gather(Order.of(context.config), sources)
    fitted.write(folder, recipe.fit(sources, context), time.monotonic() - began)


def extracted(order: Order, sources: Sources, domain: str) -> Parts:
    """Compute the features of a domain with Ray Data, a task for each shard. Yield keys and features.

    Raises:
        RfmetaError: a task raised this error, or Ray failed.
    """
    ray_data.quiet()
    manifest = sources.manifests[domain]
    shards = {shard.name: (shard, keys) for shard, keys in frames.wanted(manifest, order.frames)}
    given = ray.put((order, sources.store, manifest, shards))
    with warnings.catch_warnings():
        # The pinned Ray 2.60 has only one way to set the options of tasks, and warns that it is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        pipeline = ray.data.from_items([{"shard": name} for name in shards], override_num_blocks=len(shards))
        pipeline = pipeline.map_batches(_extract, fn_args=([given],), batch_size=1, num_cpus=1)
    with explained(f"computing the features of {domain} failed"):
        for batch in pipeline.iter_batches(batch_size=None, batch_format="numpy"):
            yield batch["key"].tolist(), batch["features"]


def _extract(batch: dict[str, Any], given: list[Any]) -> dict[str, Any]:
    """Compute the features of the chosen frames of one shard."""
    import cv2

    cv2.setNumThreads(1)  # a task has one CPU
    order, store, manifest, shards = got(given[0])
    (name,) = batch["shard"]
    found, features = frames.of_shard(order, store, manifest, *shards[name])
    return {"key": np.array(found), "features": features}


def _spread(work: Callable[[Data, Any], Any], data: Data, items: Sequence[Any]) -> list[Any]:
    """Return `work(data, item)` for each item, each computed in a task of its own."""
    given = ray.put(data)
    return [got(task) for task in [_work.remote(work, given, item) for item in items]]


@ray.remote(num_cpus=1)  # type: ignore[untyped-decorator]
def _work(work: Callable[[Data, Any], Any], data: Data, item: Any) -> Any:
    return work(data, item)
