"""Check that a source is complete: compare the published numbers of recordings with those that were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.ingest.layouts.layout import Layout, Survey, is_media
from rfmeta_dist.ingest.recording import Recording

_SHOWN = 5  # how many file names of each kind an error lists at most


@dataclass(frozen=True)
class Count:
    """One row: the recordings of one class in one of the data set's own splits.

    Attributes:
        label: 1 live, 0 attack.
        expected: the published number; None if it is not known.
        found: the number of recordings found.
    """

    split: Split
    label: int
    expected: int | None
    found: int

    @property
    def differs(self) -> bool:
        """Return True if a published number is known and differs from the number found."""
        return self.expected is not None and self.expected != self.found


def compare(layout: Layout, recordings: Iterable[Recording]) -> list[Count]:
    """Return the numbers expected and found, by official split in the usual order and by class, live first."""
    found = Counter((recording.official, recording.label) for recording in recordings)
    published = layout.expected
    streams = [(split, label) for split in SPLITS for label in (1, 0)]
    if published is None:
        return [Count(*stream, None, found[stream]) for stream in streams if found[stream]]
    return [
        Count(*stream, published.get(stream, 0), found[stream])
        for stream in streams
        if found[stream] or stream in published
    ]


def require_whole(layout: Layout, survey: Survey) -> None:
    """Check that a data set's folder has all files that were published. Files of zero bytes count as present.

    Raises:
        DataError: counts differ, listed recordings are missing, or there are unknown videos or images.
    """
    rows = compare(layout, survey.recordings)
    missing = survey.missing if layout.expected is None or any(row.differs for row in rows) else ()
    extra = [path for path in survey.unknown if is_media(path)]
    if not (missing or extra or any(row.differs for row in rows)):
        return
    published = layout.expected is not None
    problem = (
        f"the files differ from {layout.name} as it was published"
        if published
        else "the files differ from those that the data set's own lists name"
    )
    lines = [_line(row) for row in rows] if published else []
    lines += _named("missing", missing)
    lines += _named("not recognised", extra)
    lines += _named("zero bytes", survey.empty)
    consequence = (
        "the domain is then not the published data set, and its figures cannot be compared with those of papers"
        if published
        else "the domain then lacks the missing files"
    )
    raise DataError(
        "\n".join([*lines, problem]),
        "restore or rename the files listed above, or add --accept-counts to ingest only the files that were "
        f"recognised; {consequence}",
    )


def require_content(survey: Survey) -> None:
    """Check that no recording is empty, because no decoder could read it.

    Raises:
        DataError: some recordings have zero bytes; the error names them.
    """
    if survey.empty:
        raise DataError(
            "\n".join([*_named("zero bytes", survey.empty), "these recordings are empty files"]),
            "copy them from the data set again, or add --skip-unreadable to leave them out",
        )


def _line(row: Count) -> str:
    mark = "  ←" if row.differs else ""
    name = "live" if row.label else "attack"
    return f"  {row.split:<10} {name:<6}  published {row.expected or 0:>6}  found {row.found:>6}{mark}"


def _named(what: str, paths: Sequence[str]) -> list[str]:
    more = [f"    and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return [f"  {what}: {len(paths)}", *(f"    {path}" for path in paths[:_SHOWN]), *more] if paths else []
