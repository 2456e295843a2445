"""Any tree of videos or images with a `labels.csv` at its top that describes them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.ingest.layouts.layout import (
    IMAGES,
    VIDEOS,
    Counts,
    Survey,
    empty_among,
    files_below,
    is_media,
    share,
)
from rfmeta_dist.ingest.layouts.table import NAME, Line, Table, read_table
from rfmeta_dist.ingest.layouts.words import LABELS, attack_type, is_own, live_type
from rfmeta_dist.ingest.layouts.words import SPLITS as SPLIT_WORDS
from rfmeta_dist.ingest.recording import ATTACK_TYPES, Boxes, Recording

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NUMBER = re.compile(r"(\d+)(?:\.0+)?")
_TRAIN, _VALIDATION = 0.6, 0.2  # of the people, where the table gives no splits
_STEM = 48  # characters of a text that are kept in a name made of it
_SHOWN = 5  # files that a note names


@dataclass(frozen=True)
class Folder:
    """See `Layout` for the methods. What is expected stands in the table."""

    name: str = "folder"
    domain: str = "F"
    about: str = "your own videos or images: any folders, and a labels.csv that describes them"
    expected: Counts | None = None

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """Look through a source; see `Layout.survey`."""
        files = _Files(files_below(root))
        table = read_table(root)
        listed = _Reader(table, domain or self.domain, root, files).recordings()
        found = tuple(r for r in listed if r.path in files and (r.depth is None or r.depth in files))
        wanted = {path for r in listed for path in (r.path, r.depth) if path}
        missing = tuple(sorted(path for path in wanted if path not in files))
        if not found:
            raise DataError(
                f"{NAME} names {len(listed)} recordings, and none of them is there: {missing[0]}, …",
                f"give paths below the table's own folder, {root}",
            )
        notes = [_unlisted([path for path in files.paths if is_media(path) and path not in wanted])]
        notes += [_own_types(found), "" if table.gives("split") else _dealt(found)]
        return Survey(
            recordings=found, missing=missing, empty=empty_among(root, found), notes=tuple(filter(None, notes))
        )

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """The recordings, by path."""
        return list(self.survey(root, domain).recordings)

    def faces(self, recording: Recording, root: Path) -> Boxes | None:  # noqa: ARG002
        """None: a table has no boxes."""
        return None


class _Files:
    """The files there are, found by paths that may be spelled a little otherwise."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._exact = set(paths)
        self._alike: dict[str, list[str]] = {}
        for path in paths:
            self._alike.setdefault(_folded(path), []).append(path)

    def __contains__(self, path: str) -> bool:
        return path in self._exact

    def named(self, path: str) -> str:
        """The file meant: accents composed or not, and upper or lower case, where only one file fits."""
        alike = self._alike.get(_folded(path), [])
        return alike[0] if path not in self._exact and len(alike) == 1 else path


class _Reader:
    """Makes recordings of lines, and refuses a line that contradicts another."""

    def __init__(self, table: Table, domain: str, root: Path, files: _Files) -> None:
        self._table = table
        self._domain = domain
        self._root = root
        self._files = files
        self._paths: dict[str, Line] = {}
        self._splits: dict[str, tuple[Split, Line]] = {}
        self._clips: dict[str, tuple[Recording, Line]] = {}
        self._stems = Counter(_stem(line.cells["path"]) for line in table.lines)

    def recordings(self) -> list[Recording]:
        """By path; the images of a clip numbered as the numbers in their paths count."""
        found = [self._recording(line) for line in self._table.lines]
        frames: Counter[str] = Counter()
        for index in sorted(range(len(found)), key=lambda index: _counting(found[index].path)):
            recording = found[index]
            found[index] = replace(recording, frame=frames[recording.video])
            frames[recording.video] += 1
        return sorted(found, key=lambda recording: recording.path)

    def _recording(self, line: Line) -> Recording:
        path = self._path(line)
        subject = self._subject(line)
        label = line.choice("label", LABELS)
        split = self._split(line, subject)
        recording = Recording(
            path=path,
            domain=self._domain,
            subject=f"{self._domain}-{subject}",
            video=f"{self._domain}-{self._video(line, path)}",
            split=split,
            official=split,
            label=label,
            attack_type=self._attack_type(line, label),
            kind="image" if path.lower().endswith(IMAGES) else "video",
            depth=self._depth(line, path),
        )
        self._same_clip(line, recording)
        return recording

    def _path(self, line: Line) -> str:
        path = self._files.named(line.inside("path", self._root))
        if not is_media(path):
            endings = ", ".join(ending[1:] for ending in (*IMAGES, *VIDEOS))
            raise line.wrong("path", f"'{path}' is no image or video by its ending ({endings})")
        first = self._paths.setdefault(path, line)
        if first is not line:
            raise line.wrong("path", f"'{path}' is given twice", also=first)
        return path

    def _depth(self, line: Line, path: str) -> str | None:
        if not line.cells["depth"]:
            return None
        if not path.lower().endswith(IMAGES):
            raise line.wrong("depth", f"'{path}' is a video, and a depth image goes with an image")
        return self._files.named(line.inside("depth", self._root))

    def _subject(self, line: Line) -> str:
        value = line.cells["subject"]
        if not value:
            raise line.wrong("subject", "it is empty", remedy="say who is shown, so that splits share nobody")
        number = _NUMBER.fullmatch(value)
        # Spreadsheets make 7 of 007, and 7.0 of 7 where a cell is empty: one person all the same.
        return str(int(number[1])) if number else _fit(value)

    def _video(self, line: Line, path: str) -> str:
        if line.cells["video"]:
            return _fit(line.cells["video"])
        alone = self._stems[_stem(line.cells["path"])] == 1
        return _fit(_stem(path), whole=path) if alone else _fit(path)

    def _attack_type(self, line: Line, label: int) -> str:
        value = line.cells["attack_type"]
        if label:
            kind = live_type(value)
            if kind is None:
                raise line.wrong("attack_type", f"'{value}' contradicts a live label")
            return kind
        kind = attack_type(value)
        if kind is None:
            raise line.wrong("attack_type", f"'{value}' is no kind of attack", remedy=_KINDS)
        return kind

    def _split(self, line: Line, subject: str) -> Split:
        if not self._table.gives("split"):
            return _deal(subject)
        value = line.choice("split", SPLIT_WORDS)
        split, first = self._splits.setdefault(subject, (value, line))
        if split != value:
            raise line.wrong(
                "split",
                f"'{subject}' is in {value} here but in {split} elsewhere",
                also=first,
                remedy="put each person in one split: a face seen in training is no test",
            )
        return value

    def _same_clip(self, line: Line, recording: Recording) -> None:
        other, first = self._clips.setdefault(recording.video, (recording, line))
        if other is recording:
            return
        clip = recording.video.removeprefix(f"{self._domain}-")
        if "video" in (recording.kind, other.kind):
            raise line.wrong("video", f"'{clip}' names another file too", also=first, remedy=_OWN_NAME)
        if (recording.subject, recording.attack_type) != (other.subject, other.attack_type):
            problem = f"'{clip}' has another subject or attack type elsewhere"
            raise line.wrong("video", problem, also=first, remedy=_OWN_NAME)


_KINDS = f"use {', '.join(ATTACK_TYPES)}, or a word of your own"
_OWN_NAME = "correct the table; each clip needs a name of its own"


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
    how = f"people are dealt out 60/20/20 by a hash of their names ({numbers})"
    lacking = "" if all(people.values()) else "; a part without people needs a column split"
    return f"the table gives no splits: {how}{lacking}"


def _unlisted(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    more = ", …" if len(paths) > _SHOWN else ""
    return f"{len(paths)} file(s) are not in {NAME} and are left out: {', '.join(paths[:_SHOWN])}{more}"


def _own_types(recordings: Iterable[Recording]) -> str:
    own = Counter(r.attack_type for r in recordings if is_own(r.attack_type))
    named = ", ".join(f"{kind} ({count})" for kind, count in sorted(own.items()))
    return f"attack types of the table's own, kept as they are: {named}" if own else ""


def _fit(text: str, whole: str = "") -> str:
    """The text if it fits into a name, else a name made of it, with a hash of the whole."""
    text = unicodedata.normalize("NFC", text)
    if _NAME.fullmatch(text):
        return text
    whole = unicodedata.normalize("NFC", whole or text)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text.replace("/", "-")).lstrip("_-")[-_STEM:].lstrip("_-")
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}".lstrip("-")


def _stem(path: str) -> str:
    return path.rsplit(".", 1)[0]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _counting(path: str) -> list[tuple[int, str]]:
    """Sorts paths so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", path)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


FOLDER = Folder()
