"""Run ingest: crop the faces of each recording into a staging area, and pack that into shards.

Ray is imported only if there is more to do than one process does while Ray would start.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.cluster.ingest_order import Order, extract
from rfmeta_dist.core.errors import DataError, RfmetaError
from rfmeta_dist.data.reading.sizes import STEP
from rfmeta_dist.data.shards.batches import publish_batch
from rfmeta_dist.data.shards.delivery import Again, require_same_rule
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest, open_head, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import require_no_batches
from rfmeta_dist.data.shards.stage import Tally
from rfmeta_dist.ingest.crop import Native
from rfmeta_dist.ingest.extract import contract
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.recording import Recording, staged_name
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store

SHOWN = 5  # recordings that an error lists


@dataclass(frozen=True)
class Ingested:
    """The result of an ingest.

    Attributes:
        manifest: the published manifest of the domain.
        tallies: what was read, left out and changed, for each recording, by path.
    """

    manifest: Manifest
    tallies: tuple[Tally, ...]


def ingest(
    order: Order,
    survey: Survey,
    workers: int | None,
    on_done: Callable[[int, int], None],
    *,
    alone_s: float = 0.0,
    connect: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Ingested:
    """Ingest the recordings of a survey, as a domain or as a batch of one.

    Recordings that an interrupted ingest has finished are kept.

    The result does not depend on where recordings are processed.

    Args:
        order: the data set and the settings.
        survey: the recordings found in the data set's folder.
        workers: number of parallel tasks, each with one CPU; all CPUs of the cluster if None.
        on_done: called with the number of finished recordings and the number of all recordings.
        alone_s: seconds to work in this process. Recordings that are left after that are processed on Ray.
        connect: connects to Ray, if recordings are left.

    Raises:
        DataError: recordings cannot be read and are not to be skipped; no face was found; or all crops are
            smaller than the smallest native crop; the domain has batches, but none is to be added; or the batch
            does not fit the domain.
        StorageError: the store cannot be written. The same ingest continues where this one stopped.
    """
    store = open_store(order.out)
    require_put_if_absent(store)
    _require_possible(order, store)
    names = {staged_name(r, order.root): r for r in survey.recordings}
    kept = order.stage.done()
    pending = {name: r for name, r in names.items() if name not in kept}
    finished = len(names) - len(pending)
    on_done(finished, len(names))
    for _ in _extracted(order, pending, workers, alone_s, connect):
        finished += 1
        on_done(finished, len(names))
    in_order = sorted(names, key=lambda name: names[name].path)
    return _publish(order, in_order, survey)


def _extracted(
    order: Order,
    pending: Mapping[str, Recording],
    workers: int | None,
    alone_s: float,
    connect: Callable[[], AbstractContextManager[Any]],
) -> Iterator[Any]:
    """Process the recordings, and yield once for each of them."""
    left, end = dict(pending), time.monotonic() + alone_s
    while left and time.monotonic() < end:
        name = next(iter(left))
        _extract_here(order, name, left.pop(name))
        yield
    if left:
        from rfmeta_dist.cluster import ingest_tasks

        with connect():
            yield from ingest_tasks.extracted(order, left, workers)


def _extract_here(order: Order, name: str, recording: Recording) -> None:
    try:
        extract(order, name, recording)
    except RfmetaError:
        raise
    except Exception as error:
        from rfmeta_dist.cluster.errors import ours

        raise ours(error, "ingest failed") from error


def _publish(order: Order, names: Sequence[str], survey: Survey) -> Ingested:
    stage = order.stage
    tallies = tuple(stage.read(name)[1] for name in names)
    unreadable = [t for t in tallies if t.error]
    if unreadable and not order.skip_unreadable:
        # Forget them, so that the next ingest reads them again after they were repaired.
        stage.remove([name for name, tally in zip(names, tallies, strict=True) if tally.error])
        lines = [f"  {t.error}" for t in unreadable[:SHOWN]]
        lines += [f"  and {len(unreadable) - SHOWN} more"] if len(unreadable) > SHOWN else []
        raise DataError(
            "\n".join([*lines, f"{len(unreadable)} recording(s) cannot be read"]),
            "replace them with intact copies and give the same command again (finished recordings are kept), "
            "or leave them out with --skip-unreadable",
        )
    read, faceless = sum(t.read for t in tallies), sum(len(t.faceless) for t in tallies)
    if read == faceless > 0:
        raise DataError(
            f"no face was found in any of {read} frame(s) of {len(tallies)} recording(s)",
            "check that the pictures are upright and show a face from the front",
        )
    _require_large(order, tallies, read - faceless)
    facts = {
        "layout": order.layout,
        **contract(order.frames, order.rule),
        "source": _source_hash(tallies),
        "recordings": len(tallies),
        "unreadable": [t.path for t in unreadable],
        "frames_read": read,
        "frames_without_face": faceless,
        "frames_with_several_faces": sum(len(t.crowded) for t in tallies),
        "notes": list(survey.notes),
    }
    if isinstance(order.rule.size, Native):
        facts |= _sizes(tallies, survey)
    if turned := {t.path: t.turned for t in tallies if t.turned}:
        facts["turned_as_faces_lay"] = turned
    native = isinstance(order.rule.size, Native)
    store = open_store(order.out)
    if order.batch:
        again = Again(lambda: stage.samples(names))
        manifest = publish_batch(
            again, store, order.domain, order.batch, contract=facts, native=native, most=order.most
        )
    else:
        manifest = pack(stage.samples(names), store, order.domain, contract=facts, native=native)
    stage.clear()
    return Ingested(manifest, tallies)


def _require_possible(order: Order, store: Store) -> None:
    """Check before the work that the domain can take the batch, or has no batches that would be lost."""
    if order.batch:
        head = open_head(store, order.domain)
        require_same_rule(head, order.batch.name, contract(order.frames, order.rule))
    elif versions(store, order.domain):
        require_no_batches(open_head(store, order.domain))


def _require_large(order: Order, tallies: Sequence[Tally], faces: int) -> None:
    """Raise a DataError if every face is too small for a native crop."""
    small = [side for t in tallies for side in t.small]
    if isinstance(order.rule.size, Native) and small and len(small) == faces:
        fit = max(small) // STEP * STEP
        raise DataError(
            f"all {faces} face(s) have crops under {order.rule.size.smallest} pixels, the limit of --smallest "
            f"(the largest crop has {max(small)})",
            f"give --smallest {fit}, and train with data.image_size={fit}"
            if fit
            else "give --size 64, which enlarges the crops, and train with data.view=face",
        )


def _sizes(tallies: Sequence[Tally], survey: Survey) -> dict[str, Any]:
    """Return how many faces were left out as too small, by class, and how many crops were reduced."""
    label = {recording.path: recording.label for recording in survey.recordings}
    small = {name: sum(len(t.small) for t in tallies if label[t.path] == n) for n, name in enumerate(CLASSES)}
    return {"faces_too_small": small, "faces_shrunk": sum(t.shrunk for t in tallies)}


def _source_hash(tallies: Sequence[Tally]) -> str:
    """Return a SHA-256 over the paths and contents of all recordings."""
    whole = json.dumps([[t.path, t.sha256] for t in tallies])
    return hashlib.sha256(whole.encode()).hexdigest()
