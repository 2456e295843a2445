"""Define layouts of data sets whose file names give all facts about a recording, as most data sets do."""

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
        name: the name that is typed on the command line.
        domain: the default name of the domain.
        about: one line that describes the data set.
        expected: the published numbers of recordings.
        folders: the data set's top folders, for the error if they are not found.
        read: maps (path, domain) to the recording; returns None if the name is not one of the data set's.
        names: yields all published names; None if they follow no rule.
        aside: matches files that belong to the data set but are not needed here.
        annotations: maps a recording's path to the paths where its annotation may be.
        boxes: parses the text of an annotation to boxes.
        protocols: adds the protocols to recordings, given the root, all files and the recordings.
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
        """Find the recordings of a source; see `Layout.survey`."""
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
        # For a clip that is stored upside down, it is not documented whether the boxes are too: do not use
        # them.
        if self.annotations is None or recording.rotation:
            return recording
        places = [place for place in self.annotations(recording.path) if place in present]
        return replace(recording, annotation=places[0]) if places else recording

    def _expected_aside(self, path: str) -> bool:
        return is_companion(path) or bool(self.aside and self.aside.search(path))

    def _missing(self, videos: dict[str, Recording]) -> tuple[str, ...]:
        # Compare video names, not paths, because the archives can be unpacked into different folders.
        domain = next(iter(videos.values())).domain
        named = ((name, self.read(name, domain)) for name in (self.names() if self.names else ()))
        return tuple(name for name, recording in named if recording and recording.video not in videos)

    def _nothing(self, root: Path) -> DataError:
        top = self.folders[0]
        inner = sorted(child for child in root.iterdir() if (child / top).is_dir())
        place = f", perhaps {inner[0]}" if inner else ""
        return DataError(
            f"there is no recording of {self.name} under {root}",
            f"give the folder that holds {', '.join(f'{folder}/' for folder in self.folders)}{place}",
        )
