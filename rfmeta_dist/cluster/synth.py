"""Generated domains on Ray: a task a person, recordings to the staging area as they are done, then shards."""

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
    """Render the videos of one domain and publish it; what an interrupted call finished is not done again.

    The result depends on the plan alone, not on the workers, nor on what happened to them. A domain that is
    there already, under the same contract, is left as it is.

    Args:
        out: prefix to write to.
        videos: the domain's plan.
        contract: see `generate.contract`.
        workers: tasks at a time, a CPU each; as many as the cluster has CPUs if not given.
        on_done: called with the number of finished frames and of all, as they finish.

    Raises:
        DataError: a portrait cannot be read.
        StorageError: the store cannot be written. The same call may be made again and goes on.
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
    """The domain's latest state, if it came of this contract and is whole."""
    if not versions(store, domain):
        return None
    try:
        latest = Manifest.open(store, domain)
    except DataError:
        return None  # damaged, which publishing repairs
    there = set(store.sub(domain).list())
    whole = all(shard.name in there for shard in latest.shards)
    return latest if whole and json_bytes(latest.contract) == json_bytes(contract) else None


def _rendered(videos: Sequence[Video], stage: Stage, workers: int) -> Iterator[int]:
    """Frames of each recording as it is done, in any order; no more than `workers` tasks are under way."""
    # A person's recordings together, since painting the person is part of the work.
    people = (list(group) for _, group in groupby(videos, key=lambda video: video.subject))
    yield from in_parallel(people, lambda person: _render.remote(person, stage), workers)


def in_parallel(items: Iterable[T], start: Callable[[T], Any], workers: int) -> Iterator[Any]:
    """What streaming tasks yield, in any order.

    Args:
        items: one for each task.
        start: begins the task of an item.
        workers: tasks at a time.

    Raises:
        RfmetaError: what a task raised.
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
    """Render one person's recordings into the staging area; yields the frames of each."""
    import cv2

    from rfmeta_dist.synth.output.generate import render

    cv2.setNumThreads(1)  # a CPU each
    for video in person:
        samples = render(video)
        stage.write(_name(video), samples, Tally(path=video.name, read=len(samples)))
        yield len(samples)


def _name(video: Video) -> str:
    """What a recording is called while staged: the staging area is of one plan, where names are unique."""
    return f"{video.name}.parquet"
