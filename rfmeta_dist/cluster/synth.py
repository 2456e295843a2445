"""Generate domains on Ray: a task for each person writes recordings to a staging area, which is then packed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

import ray

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.room import workers_for
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import json_bytes
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.synth.filming.recording import Video

T = TypeVar("T")


def synthesise(
    out: str,
    videos: Sequence[Video],
    contract: Mapping[str, Any],
    workers: int | None,
    on_done: Callable[[int, int], None],
) -> Manifest:
    """Render the videos of one domain and publish it. Recordings that an interrupted call finished are kept.

    The result depends only on the plan, not on the number of workers or on interruptions. A domain that was
    published before with the same contract is not changed.

    Args:
        out: prefix to write to.
        videos: the domain's plan.
        contract: all settings that the videos depend on, from `generate.contract`.
        workers: number of parallel tasks, each with one CPU; all CPUs of the cluster if None.
        on_done: called with the number of finished frames and the number of all frames.

    Raises:
        DataError: a portrait cannot be read.
        StorageError: the store cannot be written. The same call continues where this one stopped.
    """
    store, domain = open_store(out), videos[0].domain
    total = sum(video.frames for video in videos)
    published = _published(store, domain, contract)
    if published:
        on_done(total, total)
        return published
    require_put_if_absent(store)
    stage = Stage(store, domain, contract)
    done = stage.done()
    pending = [video for video in videos if _name(video) not in done]
    finished = total - sum(video.frames for video in pending)
    on_done(finished, total)
    for frames in _rendered(pending, stage, workers_for("generation", workers)):
        finished += frames
        on_done(finished, total)
    manifest = pack(stage.samples([_name(video) for video in videos]), store, domain, contract=contract)
    stage.clear()
    return manifest


def _published(store: Store, domain: str, contract: Mapping[str, Any]) -> Manifest | None:
    """Return the domain's newest manifest if it has this contract and all its shards exist; None otherwise."""
    if not versions(store, domain):
        return None
    try:
        latest = Manifest.open(store, domain)
    except DataError:
        return None  # the manifest is damaged; publishing the domain again repairs it
    there = set(store.sub(domain).list())
    whole = all(shard.name in there for shard in latest.shards)
    return latest if whole and json_bytes(latest.contract) == json_bytes(contract) else None


def _rendered(videos: Sequence[Video], stage: Stage, workers: int) -> Iterator[int]:
    """Yield the number of frames of each recording when it is finished, in any order."""
    # One task renders all recordings of a person, because painting the person is part of the work.
    people = (list(group) for _, group in groupby(videos, key=lambda video: video.subject))
    yield from in_parallel(people, lambda person: _render.remote(person, stage), workers)


def in_parallel(items: Iterable[T], start: Callable[[T], Any], workers: int) -> Iterator[Any]:
    """Run a streaming task for each item, and yield what the tasks yield, in any order.

    Args:
        items: one item for each task.
        start: starts the task of an item and returns its generator of references.
        workers: number of tasks that run at the same time.

    Raises:
        RfmetaError: a task raised this error.
    """
    rest = iter(items)
    tasks = [start(item) for item in islice(rest, workers)]
    while tasks:
        for task in ray.wait(tasks, num_returns=1)[0]:
            try:
                yield got(next(task))
            except StopIteration:
                tasks.remove(task)
                tasks += [start(item) for item in islice(rest, 1)]


@ray.remote(num_cpus=1, num_returns="streaming")  # type: ignore[untyped-decorator]
def _render(person: list[Video], stage: Stage) -> Iterator[int]:
    """Render the recordings of one person into the staging area, and yield the number of frames of each."""
    import cv2

    from rfmeta_dist.synth.output.generate import render

    cv2.setNumThreads(1)  # a task has one CPU
    for video in person:
        samples = render(video)
        stage.write(_name(video), samples, Tally(path=video.name, read=len(samples)))
        yield len(samples)


def _name(video: Video) -> str:
    """Return a recording's name in the staging area. Names are unique, because the area holds one plan only."""
    return f"{video.name}.parquet"
