"""Ingest as a Ray Data pipeline: recordings → faces, in parallel tasks → staging → shards."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.data

from rfmeta_dist.cluster.errors import explained
from rfmeta_dist.cluster.room import workers_for
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.sizes import STEP
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.ingest.crop import CropRule, Native
from rfmeta_dist.ingest.extract import contract
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.recording import Recording, staged_name
from rfmeta_dist.ingest.video import FrameRule
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import open_store

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Faces

SHOWN = 5  # recordings that an error lists


@dataclass(frozen=True)
class Order:
    """What is to be ingested, and how.

    Attributes:
        layout: name of the layout.
        root: folder of the source, reachable from every machine.
        out: prefix to write to.
        domain: the domain's name.
        frames: which frames of a video.
        rule: how faces are cut out.
        skip_unreadable: leave out recordings that do not decode, instead of refusing.
    """

    layout: str
    root: Path
    out: str
    domain: str
    frames: FrameRule
    rule: CropRule
    skip_unreadable: bool = False

    @property
    def stage(self) -> Stage:
        """Where finished recordings wait."""
        rule = {"layout": self.layout, **contract(self.frames, self.rule)}
        return Stage(open_store(self.out), self.domain, rule)


@dataclass(frozen=True)
class Ingested:
    """What came of it: the manifest, and a tally for each recording."""

    manifest: Manifest
    tallies: tuple[Tally, ...]


@lru_cache(maxsize=1)
def _tools(order: Order) -> tuple[Stage, Faces]:
    """The staging area and the face models; a process makes them once, however many rows it gets."""
    from rfmeta_dist.ingest.face import Faces

    return order.stage, Faces()


def _extract(row: dict[str, Any], order: Order) -> dict[str, Any]:
    """Turn one recording into staged samples."""
    from rfmeta_dist.ingest.sampling import sample

    recording, (stage, faces) = _parse(row["recording"]), _tools(order)
    samples, tally = sample(recording, order.root, LAYOUTS[order.layout], order.frames, order.rule, faces)
    stage.write(row["name"], samples, tally)
    return {"path": recording.path}


def ingest(order: Order, survey: Survey, workers: int | None, on_done: Callable[[int, int], None]) -> Ingested:
    """Ingest what a survey found; what an interrupted ingest of the same order finished is not done again.

    Args:
        order: what and how.
        survey: of the source.
        workers: tasks at a time, a CPU each; as many as the cluster has CPUs if not given.
        on_done: called with the number of finished recordings and of all, as they finish.

    Raises:
        DataError: recordings cannot be read, unless they are to be skipped; or there is no face at all.
        StorageError: the store cannot be written. The same ingest may be started again and goes on.
    """
    require_put_if_absent(open_store(order.out))
    names = {staged_name(r, order.root): r for r in survey.recordings}
    pending = {name: r for name, r in names.items() if name not in order.stage.done()}
    finished = len(names) - len(pending)
    on_done(finished, len(names))
    if pending:
        for _ in _extracted(order, pending, workers_for("ingest", workers)):
            finished += 1
            on_done(finished, len(names))
    in_order = sorted(names, key=lambda name: names[name].path)
    return _publish(order, in_order, survey)


def _extracted(order: Order, pending: dict[str, Recording], workers: int) -> Any:
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it prints a traceback of every error
    context = ray.data.DataContext.get_current()
    context.raise_original_map_exception = True  # or only the text of our errors would arrive
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [{"name": name, "recording": _text(r)} for name, r in pending.items()]
    tasks = max(1, min(workers, len(rows)))
    with warnings.catch_warnings():
        # Ray 2.60 deprecates the one way to set `max_retries`; it is pinned, and the next has another.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Tasks, not a pool of actors: an actor of a stage that failed keeps its CPU for as long as anybody
        # keeps the error, whose traceback refers to it.
        pipeline = ray.data.from_items(rows, override_num_blocks=min(len(rows), 16 * tasks)).map(
            _extract,
            fn_args=(order,),
            compute=ray.data.TaskPoolStrategy(size=tasks),
            num_cpus=1,
            # A process that died ends the ingest, and starting it again goes on: rare, and simpler to trust.
            ray_remote_args_fn=lambda: {"max_retries": 0},
        )
    with explained("ingest failed"):
        yield from pipeline.iter_rows()


def _publish(order: Order, names: Sequence[str], survey: Survey) -> Ingested:
    stage = order.stage
    tallies = tuple(stage.read(name)[1] for name in names)
    unreadable = [t for t in tallies if t.error]
    if unreadable and not order.skip_unreadable:
        # Once repaired they must be read again, even if nothing about the file shows that it was.
        stage.remove([name for name, tally in zip(names, tallies, strict=True) if tally.error])
        lines = [f"  {t.error}" for t in unreadable[:SHOWN]]
        lines += [f"  and {len(unreadable) - SHOWN} more"] if len(unreadable) > SHOWN else []
        raise DataError(
            "\n".join([*lines, f"{len(unreadable)} recording(s) cannot be read"]),
            "repair them and give the same command again, which keeps what was done; or leave them out with "
            "--skip-unreadable",
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
    manifest = pack(stage.samples(names), store, order.domain, contract=facts, native=native)
    stage.clear()
    return Ingested(manifest, tallies)


def _require_large(order: Order, tallies: Sequence[Tally], faces: int) -> None:
    """Check that native crops are left: not all faces are too small."""
    small = [side for t in tallies for side in t.small]
    if isinstance(order.rule.size, Native) and small and len(small) == faces:
        fit = max(small) // STEP * STEP
        raise DataError(
            f"all {faces} face(s) have crops under {order.rule.size.smallest} pixels, {max(small)} at most",
            f"give --smallest {fit}, and train with data.image_size={fit}"
            if fit
            else "give --size 64, which enlarges them, for a training with data.view=face",
        )


def _sizes(tallies: Sequence[Tally], survey: Survey) -> dict[str, Any]:
    """How many faces were left out as too small, by class, and how many were shrunk."""
    label = {recording.path: recording.label for recording in survey.recordings}
    small = {name: sum(len(t.small) for t in tallies if label[t.path] == n) for n, name in enumerate(CLASSES)}
    return {"faces_too_small": small, "faces_shrunk": sum(t.shrunk for t in tallies)}


def _source_hash(tallies: Sequence[Tally]) -> str:
    """Over the paths and contents of all recordings."""
    whole = json.dumps([[t.path, t.sha256] for t in tallies])
    return hashlib.sha256(whole.encode()).hexdigest()


def _text(recording: Recording) -> str:
    from dataclasses import asdict

    return json.dumps(asdict(recording) | {"protocols": sorted(recording.protocols)})


def _parse(text: str) -> Recording:
    fields = json.loads(text)
    return Recording(**fields | {"protocols": frozenset(fields["protocols"])})
