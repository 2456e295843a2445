"""Generate domains on Ray: a task for each person writes recordings to a staging area, which is then packed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, TypeVar

import ray

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.room import workers_for
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.batches import Batch, batches_of, name_taken, publish_batch
from rfmeta_dist.data.shards.delivery import Renamed
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import json_bytes, require_no_batches
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
    into: tuple[str, Batch] | None = None,
) -> Manifest:
    """Render the videos of one domain and publish it, as a domain or as a batch of another one.

    Recordings that an interrupted call finished are kept. The result depends only on the plan, not on the
    number of workers or on interruptions. What was published before with the same contract is not changed.

    Args:
        out: prefix to write to.
        videos: the domain's plan.
        contract: all settings that the videos depend on, from `generate.contract`.
        workers: number of parallel tasks, each with one CPU; all CPUs of the cluster if None.
        on_done: called with the number of finished frames and the number of all frames.
        into: the domain and the batch as which the samples join it; None to publish them as their own domain.

    Raises:
        DataError: a portrait cannot be read; the domain has batches, but none is to be added; or the batch does
            not fit the domain.
        StorageError: the store cannot be written. The same call continues where this one stopped.
    """
    store, domain = open_store(out), into[0] if into else videos[0].domain
    total = sum(video.frames for video in videos)
    published = _published(store, domain, contract, into[1].name if into else None)
    if published:
        on_done(total, total)
        return published
    require_put_if_absent(store)
    stage = Stage(store, domain, {**contract, "batch": into[1].name} if into else contract)
    done = stage.done()
    pending = [video for video in videos if _name(video) not in done]
    finished = total - sum(video.frames for video in pending)
    on_done(finished, total)
    for frames in _rendered(pending, stage, workers_for("generation", workers)):
        finished += frames
        on_done(finished, total)
    names = [_name(video) for video in videos]
    if into:
        named = Renamed(lambda: stage.samples(names), domain, into[1].name)
        manifest = publish_batch(named, store, domain, into[1], contract=contract)
    else:
        manifest = pack(stage.samples(names), store, domain, contract=contract)
    stage.clear()
    return manifest


def _published(store: Store, domain: str, contract: Mapping[str, Any], batch: str | None) -> Manifest | None:
    """Return the domain's newest manifest if there is nothing to add to it; None otherwise.

    That is so if the domain, or its batch if one is named, has this contract and all shards exist.

    Raises:
        DataError: a batch is to be added, but there is no such domain, its manifest is damaged, or it has
            another batch of this name; or the domain is to be published anew, but it has batches.
    """
    if batch is None and not versions(store, domain):
        return None
    try:
        latest = Manifest.open(store, domain)
    except DataError:
        if batch is not None:
            raise
        return None  # the manifest is damaged; publishing the domain again repairs it
    there = set(store.sub(domain).list())
    whole = all(shard.name in there for shard in latest.shards)
    batches = batches_of(latest)
    made = {name: fact for name, fact in latest.contract.items() if name != "batches"}
    if batch is not None:
        made = dict(batches[batch].made) if batch in batches else {}
    if whole and json_bytes(made) == json_bytes(contract):
        return latest
    if batch is None:
        require_no_batches(latest)
    elif batch in batches:
        raise name_taken(domain, batches[batch])
    return None


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
