"""A small domain with OULU-NPU's protocols, read from lists as the data set has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from rfmeta_dist.core.types import Sample
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.recording import Recording
from tests.ingest.layout_trees import build
from tests.samples import make_sample

PEOPLE = (1, 2, 21, 22, 36, 37)  # two of each part


def recordings(folder: Path) -> list[Recording]:
    """The recordings of a few people, with the protocols that the data set's lists give them."""
    found = LAYOUTS["oulu_npu"].find(build(folder, "oulu_npu"))
    return [recording for recording in found if int(recording.subject.split("-")[1]) in PEOPLE]


def samples(recordings: Collection[Recording], protocols: Collection[str]) -> Iterator[Sample]:
    """One random frame of each recording. Only the given protocols are kept."""
    for number, recording in enumerate(recordings):
        frame = make_sample("O", recording.split, number, label=recording.label)
        kept = [entry for entry in recording.protocols if entry.split("/")[0] in protocols]
        yield replace(
            frame,
            key=f"{recording.video}-{number:05d}",
            attack_type=recording.attack_type,
            subject=recording.subject,
            video=recording.video,
            protocols=tuple(sorted(kept)),
        )
