"""Survey a data set as a batch of a domain: give its people and clips names that are not the domain's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.layout import Layout, Survey

_VIDEO_LENGTH = 84  # a sample's key has up to 90 characters: the clip's name, a dash and five digits


def survey_batch(layout: Layout, root: Path, domain: str, batch: str, *, same_people: bool) -> Survey:
    """List the recordings of a source under the names that they have in a batch of a domain.

    Clips are called `{domain}-{batch}-…`, since suppliers number their clips alike. So are people, unless
    `same_people`: two suppliers may both call their first person 1.

    Args:
        layout: how the source is stored.
        root: the folder that holds the source.
        domain: name of the domain that the batch joins.
        batch: name of the batch.
        same_people: True if a person of the source is the person of the same name in the domain.

    Raises:
        DataError: the source cannot be surveyed (`Layout.survey`), or a clip's name becomes too long.
        StorageError: a folder or list cannot be read.
    """
    joined = f"{domain}-{batch}"
    found = layout.survey(root, joined)
    recordings = tuple(replace(recording, domain=domain) for recording in found.recordings)
    notes = found.notes
    if same_people:
        recordings = tuple(replace(r, subject=domain + r.subject.removeprefix(joined)) for r in recordings)
        # Notes name people as the samples do, so that erasing a person leaves no other name of them here.
        notes = tuple(note.replace(f"{joined}-", f"{domain}-") for note in notes)
    longest = max((recording.video for recording in recordings), key=len, default="")
    if len(longest) > _VIDEO_LENGTH:
        raise DataError(
            f"the clip {longest} has a name of {len(longest)} characters, but {_VIDEO_LENGTH} are possible",
            "choose a shorter name for the batch, or shorter names in the column video of labels.csv",
        )
    return replace(found, recordings=recordings, notes=notes)
