"""Layouts of data sets whose file names say everything about a recording, as in all classic ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.boxes import read_boxes
from rfmeta_dist.ingest.layouts.layout import Counts, Survey, empty_among, files_below, is_companion
from rfmeta_dist.ingest.recording import Boxes, Recording

Protocols = Callable[[Path, Sequence[str], Sequence[Recording]], list[Recording]]


@dataclass(frozen=True)
class NamedLayout:
    """A layout that is defined by a rule for file names; see `Layout` for its methods.

    Attributes:
        name, domain, about, expected: see `Layout`.
        folders: the folders at its top, named in the error if a user gives another folder.
        read: (path, domain) → the recording, or None if the name is not one of the data set's.
        names: all names as published; None if they follow no rule.
        aside: pattern of files that belong to the data set but not to this task.
        annotations: path of a recording → where its annotation may be.
        boxes: text of an annotation → boxes.
        protocols: adds protocol membership, given the root, all files and the recordings.
    """

    name: str
    domain: str
    about: str
    expected: Counts
    folders: tuple[str, ...]
    read: Callable[[str, str], Recording | None]
    names: Callable[[], Iterable[str]] | None = None
    aside: re.Pattern[str] | None = None
    annotations: Callable[[str], Sequence[str]] | None = None
    boxes: Callable[[str], Boxes] | None = None
    protocols: Protocols | None = None

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """List the recordings of a source; see `Layout.survey`."""
        domain = domain or self.domain
        files = files_below(root)
        present = set(files)
        videos: dict[str, Recording] = {}
        unknown: list[str] = []
        for path in files:
            recording = self.read(path, domain)
            if recording and recording.video not in videos:
                videos[recording.video] = self._annotated(recording, present)
            elif recording or not self._expected_aside(path):
                unknown.append(path)
        if not videos:
            raise self._nothing(root)
        recordings = list(videos.values())
        if self.protocols:
            recordings = self.protocols(root, files, recordings)
        found = tuple(recordings)
        return Survey(found, self._missing(videos), tuple(unknown), empty_among(root, found))

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """Return the recordings, sorted by path."""
        return list(self.survey(root, domain).recordings)

    def faces(self, recording: Recording, root: Path) -> Boxes | None:
        """Read the data set's own annotation; see `Layout.faces`."""
        if recording.annotation is None or self.boxes is None:
            return None
        return read_boxes(root, recording.annotation, self.boxes)

    def _annotated(self, recording: Recording, present: set[str]) -> Recording:
        # Nobody documented whether the annotation of a clip that is stored upside down refers to the stored or
        # to the upright picture, so it is not used.
        if self.annotations is None or recording.rotation:
            return recording
        places = [place for place in self.annotations(recording.path) if place in present]
        return replace(recording, annotation=places[0]) if places else recording

    def _expected_aside(self, path: str) -> bool:
        return is_companion(path) or bool(self.aside and self.aside.search(path))

    def _missing(self, videos: dict[str, Recording]) -> tuple[str, ...]:
        # Names are compared by video, not by path, because a data set can be unpacked in several ways.
        domain = next(iter(videos.values())).domain
        named = ((name, self.read(name, domain)) for name in (self.names() if self.names else ()))
        return tuple(name for name, recording in named if recording and recording.video not in videos)

    def _nothing(self, root: Path) -> DataError:
        top = self.folders[0]
        inner = sorted(child for child in root.iterdir() if (child / top).is_dir())
        place = f", perhaps {inner[0]}" if inner else ""
        return DataError(
            f"no file under {root} has the name of a recording of {self.name}",
            f"give the folder that holds {', '.join(f'{folder}/' for folder in self.folders)}{place}",
        )
