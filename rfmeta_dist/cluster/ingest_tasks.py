"""Process the recordings of an ingest in parallel, as tasks of Ray Data."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import ray
import ray.data

from rfmeta_dist.cluster import ray_data
from rfmeta_dist.cluster.errors import explained
from rfmeta_dist.cluster.ingest_order import Order, extract
from rfmeta_dist.cluster.room import workers_for
from rfmeta_dist.ingest.recording import Recording


def extracted(order: Order, pending: Mapping[str, Recording], workers: int | None) -> Iterator[Any]:
    """Write the samples of recordings to the staging area, and yield once for each finished recording.

    Args:
        order: the data set and the settings.
        pending: the recordings, by their names in the staging area.
        workers: number of parallel tasks, each with one CPU; all CPUs of the cluster if None.

    Raises:
        RfmetaError: a task raised this error, or Ray failed.
    """
    ray_data.quiet()
    rows = [{"name": name, "recording": _text(r)} for name, r in pending.items()]
    tasks = max(1, min(workers_for("ingest", workers), len(rows)))
    with warnings.catch_warnings():
        # The pinned Ray 2.60 has only one way to set `max_retries`, and warns that it is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Tasks instead of a pool of actors: when a stage fails, an actor keeps its CPU as long as the error
        # object exists, because the error's traceback refers to the actor.
        pipeline = ray.data.from_items(rows, override_num_blocks=min(len(rows), 16 * tasks)).map(
            _extract,
            fn_args=(order,),
            compute=ray.data.TaskPoolStrategy(size=tasks),
            num_cpus=1,
            # If a process dies, the ingest ends, and giving the command again continues it. This is rare.
            ray_remote_args_fn=lambda: {"max_retries": 0},
        )
    with explained("ingest failed"):
        yield from pipeline.iter_rows()


def _extract(row: dict[str, Any], order: Order) -> dict[str, Any]:
    """Process the recording of one row."""
    recording = _parse(row["recording"])
    extract(order, row["name"], recording)
    return {"path": recording.path}


def _text(recording: Recording) -> str:
    return json.dumps(asdict(recording) | {"protocols": sorted(recording.protocols)})


def _parse(text: str) -> Recording:
    fields = json.loads(text)
    return Recording(**fields | {"protocols": frozenset(fields["protocols"])})
