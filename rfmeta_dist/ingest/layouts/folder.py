"""Any tree of videos or images with a `labels.csv` at its top that describes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rfmeta_dist.core.types import LIVE, SPLITS, Split
from rfmeta_dist.ingest.layouts.layout import (
    IMAGES,
    Counts,
    Survey,
    empty_among,
    files_below,
    is_companion,
    is_media,
    share,
)
from rfmeta_dist.ingest.layouts.table import Line, Table, read_table
from rfmeta_dist.ingest.recording import ATTACK_TYPES, Boxes, Recording

_LABELS = {"1": 1, "live": 1, "bonafide": 1, "0": 0, "attack": 0, "spoof": 0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TRAIN, _VALIDATION = 0.6, 0.2  # of the people, where the table gives no splits
_STEM = 48  # characters of a path that are kept in the name of a video


@dataclass(frozen=True)
class Folder:
    """See `Layout` for the methods. What is expected stands in the table."""

    name: str = "folder"
    domain: str = "F"
    about: str = "your own videos or images: any folders, and a labels.csv that describes them"
    expected: Counts | None = None

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """Look through a source; see `Layout.survey`."""
        files = files_below(root)
        table = read_table(root)
        listed = _Reader(table, domain or self.domain).recordings()
        present = set(files)
        found = tuple(recording for recording in listed if recording.path in present)
        depths = {recording.depth for recording in listed if recording.depth}
        wanted = {recording.path for recording in listed} | depths
        return Survey(
            recordings=found,
            missing=tuple(sorted(wanted - present)),
            unknown=tuple(path for path in files if path not in wanted and not is_companion(path)),
            empty=empty_among(root, found),
            notes=() if table.gives("split") else (_dealt(found),),
        )

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """The recordings, by path."""
        return list(self.survey(root, domain).recordings)

    def faces(self, recording: Recording, root: Path) -> Boxes | None:  # noqa: ARG002
        """None: a table has no boxes."""
        return None


class _Reader:
    """Makes recordings of lines, and refuses a line that contradicts another."""

    def __init__(self, table: Table, domain: str) -> None:
        self._table = table
        self._domain = domain
        self._paths: dict[str, Line] = {}
        self._splits: dict[str, tuple[Split, Line]] = {}
        self._clips: dict[str, tuple[Recording, Line]] = {}
        self._frames: dict[str, int] = {}

    def recordings(self) -> list[Recording]:
        """By path."""
        lines = sorted(self._table.lines, key=lambda line: line.inside("path"))
        return [self._recording(line) for line in lines]

    def _recording(self, line: Line) -> Recording:
        path = self._path(line)
        subject = self._named(line, "subject")
        label = line.choice("label", _LABELS)
        video = self._named(line, "video") if line.cells["video"] else _video_name(path)
        split = self._split(line, subject)
        recording = Recording(
            path=path,
            domain=self._domain,
            subject=f"{self._domain}-{subject}",
            video=f"{self._domain}-{video}",
            split=split,
            official=split,
            label=label,
            attack_type=self._attack_type(line, label),
            kind="image" if path.lower().endswith(IMAGES) else "video",
            frame=self._frames.get(video, 0),
            depth=self._depth(line),
        )
        self._frames[video] = recording.frame + 1
        self._same_clip(line, recording)
        return recording

    def _path(self, line: Line) -> str:
        path = line.inside("path")
        if not is_media(path):
            raise line.wrong("path", f"'{path}' is no video or image by its ending")
        first = self._paths.setdefault(path, line)
        if first is not line:
            raise line.wrong("path", f"'{path}' is given twice", also=first)
        return path

    def _depth(self, line: Line) -> str | None:
        return line.inside("depth") if line.cells["depth"] else None

    def _named(self, line: Line, column: str) -> str:
        value = line.cells[column]
        if not _NAME.fullmatch(value):
            raise line.wrong(column, f"'{value}' is not 1 to 64 letters, digits, '_' and '-'")
        return value

    def _attack_type(self, line: Line, label: int) -> str:
        value = line.cells["attack_type"].lower()
        if label:
            if value not in ("", LIVE):
                raise line.wrong("attack_type", f"'{value}' contradicts a live label")
            return LIVE
        if value not in ATTACK_TYPES:
            raise line.wrong("attack_type", f"'{value}' is not one of {', '.join(ATTACK_TYPES)}")
        return value

    def _split(self, line: Line, subject: str) -> Split:
        if not self._table.gives("split"):
            return _deal(subject)
        value = line.choice("split", {name: name for name in SPLITS})
        split, first = self._splits.setdefault(subject, (value, line))
        if split != value:
            raise line.wrong("split", f"'{subject}' is in {value} here but in {split} elsewhere", also=first)
        return value

    def _same_clip(self, line: Line, recording: Recording) -> None:
        other, first = self._clips.setdefault(recording.video, (recording, line))
        if other is recording:
            return
        clip = recording.video.removeprefix(f"{self._domain}-")
        if "video" in (recording.kind, other.kind):
            raise line.wrong("video", f"'{clip}' names another file too", also=first)
        if (recording.subject, recording.attack_type) != (other.subject, other.attack_type):
            raise line.wrong("video", f"'{clip}' has another subject or attack type elsewhere", also=first)


def _deal(subject: str) -> Split:
    dealt = share(subject)
    if dealt < _TRAIN:
        return "train"
    return "validation" if dealt < _TRAIN + _VALIDATION else "test"


def _dealt(recordings: tuple[Recording, ...]) -> str:
    people: Mapping[Split, set[str]] = {split: set() for split in SPLITS}
    for recording in recordings:
        people[recording.split].add(recording.subject)
    numbers = ", ".join(f"{split} {len(found)}" for split, found in people.items())
    return f"the table gives no splits: people are dealt out 60/20/20 by a hash of their names ({numbers})"


def _video_name(path: str) -> str:
    """A name from a path, with a hash where the path does not fit into one as it is."""
    stem = path.rsplit(".", 1)[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem.replace("/", "-")).lstrip("_-")[-_STEM:].lstrip("_-")
    return name if name == stem else f"{name}-{hashlib.sha256(path.encode()).hexdigest()[:8]}".lstrip("-")


FOLDER = Folder()
