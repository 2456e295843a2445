"""Show what an ingest did: what was read, what was left out or changed, and what the domain has now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli.terminal import say, show_table

if TYPE_CHECKING:
    from rfmeta_dist.cluster.ingest import Ingested
    from rfmeta_dist.data.shards.batches import Batch
    from rfmeta_dist.data.shards.stage import Tally
    from rfmeta_dist.ingest.layouts.layout import Layout, Survey

SHOWN = 10  # names of each kind in the summary


def result(done: Ingested, batch: Batch | None) -> dict[str, Any]:
    """Return the result of an ingest for --json; `batch` is the batch that was added, or None."""
    from rfmeta_dist.data.shards.batches import batches_of

    added = batches_of(done.manifest)[batch.name] if batch else None
    return {
        "domain": done.manifest.domain,
        "manifest": done.manifest.fingerprint,
        "counts": done.manifest.counts,
        "without_face": {t.path: list(t.faceless) for t in done.tallies if t.faceless},
        "several_faces": {t.path: list(t.crowded) for t in done.tallies if t.crowded},
        "turned": {t.path: t.turned for t in done.tallies if t.turned},
        "lying": {t.path: list(t.lying) for t in done.tallies if t.lying},
        "too_small": {t.path: list(t.small) for t in done.tallies if t.small},
        "shrunk": {t.path: t.shrunk for t in done.tallies if t.shrunk},
        "unreadable": {t.path: t.error for t in done.tallies if t.error},
        **({"batch": added.name, "surplus": added.surplus} if added else {}),
    }


def summary(layout: Layout, survey: Survey, done: Ingested) -> None:
    """Print the tables of recordings and samples, then the names of what was left out or changed."""
    from rfmeta_dist.data.upkeep.stats import stats
    from rfmeta_dist.ingest.layouts.check import compare

    recordings = (
        (
            row.split,
            "live" if row.label else "attack",
            "?" if row.expected is None else str(row.expected),
            str(row.found),
        )
        for row in compare(layout, survey.recordings)
    )
    columns = ("official split", "class", "expected", "found")
    show_table(columns, recordings, title=f"recordings of {layout.name}")
    samples = (
        (row.split, row.attack_type, *(str(n) for n in (row.samples, row.subjects, row.videos)))
        for row in stats(done.manifest)
    )
    show_table(("split", "attack type", "samples", "subjects", "videos"), samples, title="samples")
    read, faceless = sum(t.read for t in done.tallies), [t for t in done.tallies if t.faceless]
    missing, crowded = sum(len(t.faceless) for t in faceless), sum(len(t.crowded) for t in done.tallies)
    say(
        f"{read} frames were read. {missing} show no face and are left out; "
        f"{crowded} show several faces, of which the largest was taken"
    )
    _tell_some([f"  no face: {t.path}{_frames(t, t.faceless)}" for t in faceless])
    _say_sizes(done)
    lay = "its faces lay on their side or upside down"
    _tell_some([f"  turned by {t.turned}° clockwise, as {lay}: {t.path}" for t in done.tallies if t.turned])
    lies = "not turned, but a face may lie on its side or upside down"
    _tell_some([f"  {lies}: {t.path}{_frames(t, t.lying)}" for t in done.tallies if t.lying])
    _tell_some([f"  unreadable: {t.error}" for t in done.tallies if t.error])
    say(f"domain {done.manifest.domain}: manifest {done.manifest.fingerprint[:12]}")


def _say_sizes(done: Ingested) -> None:
    """Print which native crops were left out or reduced in size."""
    small = [side for t in done.tallies for side in t.small]
    if small:
        counts = done.manifest.contract["faces_too_small"]
        say(
            f"{len(small)} faces ({counts['live']} live, {counts['attack']} attack) are left out, because "
            f"their crops would have only {min(small)} to {max(small)} pixels. A lower --smallest keeps them; "
            "data.image_size, the side of a patch, must then not be larger than --smallest"
        )
        _tell_some([f"  too small: {t.path}, {len(t.small)} face(s)" for t in done.tallies if t.small])
    if shrunk := sum(t.shrunk for t in done.tallies):
        say(f"{shrunk} crops were too large and were reduced, so their pixels are not those of the source")


def _frames(tally: Tally, numbers: Sequence[int]) -> str:
    """Return the numbers of the frames as text, or an empty text for a still image."""
    some = ", ".join(map(str, numbers[:SHOWN]))
    return f", frames {some}{', …' if len(numbers) > SHOWN else ''}" if tally.read > 1 else ""


def _tell_some(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        say(line)
    if len(lines) > SHOWN:
        say(f"  and {len(lines) - SHOWN} more; --json prints all of them")
