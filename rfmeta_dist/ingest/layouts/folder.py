"""The layout of a user's own data: any tree of videos or images, described by a `labels.csv` at its top."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.ingest.layouts.columns import Columns
from rfmeta_dist.ingest.layouts.layout import (
    IMAGES,
    VIDEOS,
    Counts,
    Layout,
    Survey,
    empty_among,
    files_below,
    is_media,
)
from rfmeta_dist.ingest.layouts.people import People, fit
from rfmeta_dist.ingest.layouts.table import NAME, Line, Table, read_table
from rfmeta_dist.ingest.layouts.words import LABELS, attack_type, is_own, live_type
from rfmeta_dist.ingest.recording import ATTACK_TYPES, Boxes, Recording

_SHOWN = 5  # how many files a note names at most


@dataclass(frozen=True)
class Folder:
    """The layout of a user's own data; see `Layout` for the methods. The table says what should be there.

    `named` are further columns of the table that the user asked to keep; see `columns.Columns`.
    """

    name: str = "folder"
    domain: str = "F"
    about: str = "your own videos or images: any folders, and a labels.csv that describes them"
    expected: Counts | None = None
    named: tuple[str, ...] = ()

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """List the recordings of a source; see `Layout.survey`."""
        files = _Files(files_below(root))
        table = read_table(root)
        people = People(table, domain or self.domain)
        columns = Columns(table, self.named)
        listed = _Reader(table, people, root, files, columns).recordings()
        found = tuple(r for r in listed if r.path in files and (r.depth is None or r.depth in files))
        wanted = {path for r in listed for path in (r.path, r.depth) if path}
        missing = tuple(sorted(path for path in wanted if path not in files))
        if not found:
            raise DataError(
                f"{NAME} names {len(listed)} recordings, but none of these files exists: {missing[0]}, …",
                f"write paths relative to the folder of the table, {root}",
            )
        notes = [_unlisted([path for path in files.paths if is_media(path) and path not in wanted])]
        notes += [*table.blank_words(), _own_types(found), *people.notes(found)]
        return Survey(
            recordings=found,
            missing=missing,
            empty=empty_among(root, found),
            notes=tuple(filter(None, notes)),
            hints=columns.hints,
        )

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """Return the recordings, sorted by path."""
        return list(self.survey(root, domain).recordings)

    def faces(self, recording: Recording, root: Path) -> Boxes | None:  # noqa: ARG002
        """Return None, because a table has no face boxes."""
        return None


def keeping(layout: Layout, named: Sequence[str]) -> Layout:
    """Return the layout, made to keep further columns of its table.

    Args:
        layout: any layout.
        named: the columns; see `columns.Columns`.

    Raises:
        ConfigError: columns are named, but the layout reads no table.
    """
    if not named:
        return layout
    if not isinstance(layout, Folder):
        raise ConfigError(
            f"--with {named[0]} names a column of {NAME}, but the layout {layout.name} reads no such table",
            "leave --with out, or use the layout folder",
        )
    return replace(layout, named=tuple(named))


class _Files:
    """The files of a source, found by paths that may be spelled slightly differently."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._exact = set(paths)
        self._alike: dict[str, list[str]] = {}
        for path in paths:
            self._alike.setdefault(_folded(path), []).append(path)

    def __contains__(self, path: str) -> bool:
        return path in self._exact

    def named(self, path: str) -> str:
        """Return the file that a path means. Case and Unicode form may differ if only one file fits."""
        alike = self._alike.get(_folded(path), [])
        return alike[0] if path not in self._exact and len(alike) == 1 else path


class _Reader:
    """Make recordings from the lines of a table. A line that contradicts another one is an error."""

    def __init__(self, table: Table, people: People, root: Path, files: _Files, columns: Columns) -> None:
        self._table = table
        self._columns = columns
        self._people = people
        self._domain = people.domain
        self._root = root
        self._files = files
        self._paths: dict[str, Line] = {}
        self._clips: dict[str, tuple[Recording, Line]] = {}
        self._stems = Counter(_stem(line.cells["path"]) for line in table.lines)

    def recordings(self) -> list[Recording]:
        """Return the recordings by path. The images of a clip are sorted by the numbers in their paths."""
        found = [self._recording(line) for line in self._table.lines]
        about = self._columns.facts([recording.subject for recording in found])
        found = [replace(recording, about=facts) for recording, facts in zip(found, about, strict=True)]
        frames: Counter[str] = Counter()
        for index in sorted(range(len(found)), key=lambda index: _counting(found[index].path)):
            recording = found[index]
            found[index] = replace(recording, frame=frames[recording.video])
            frames[recording.video] += 1
        return sorted(found, key=lambda recording: recording.path)

    def _recording(self, line: Line) -> Recording:
        path = self._path(line)
        subject = self._people.name(line)
        label = line.choice("label", LABELS)
        split = self._people.split(line, subject)
        recording = Recording(
            path=path,
            domain=self._domain,
            subject=subject,
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
            raise line.wrong(
                "path",
                f"'{path}' is neither an image nor a video by its ending ({endings})",
                remedy=_OTHER_FILE,
            )
        first = self._paths.setdefault(path, line)
        if first is not line:
            raise line.wrong("path", f"both lines name the file '{path}'", also=first, remedy=_ONE_LINE)
        return path

    def _depth(self, line: Line, path: str) -> str | None:
        if not line.cells["depth"]:
            return None
        if not path.lower().endswith(IMAGES):
            raise line.wrong(
                "depth", f"'{path}' is a video, but only images can have a depth image", remedy=_NO_DEPTH
            )
        return self._files.named(line.inside("depth", self._root))

    def _video(self, line: Line, path: str) -> str:
        if line.cells["video"]:
            return fit(line.cells["video"])
        alone = self._stems[_stem(line.cells["path"])] == 1
        return fit(_stem(path), whole=path) if alone else fit(path)

    def _attack_type(self, line: Line, label: int) -> str:
        value = line.cells["attack_type"]
        if label:
            kind = live_type(value)
            if kind is None:
                raise line.wrong(
                    "attack_type", f"'{value}' contradicts the label, which says live", remedy=_LIVE
                )
            return kind
        kind = attack_type(value)
        if kind is None:
            raise line.wrong("attack_type", f"'{value}' is not an attack type", remedy=_KINDS)
        return kind

    def _same_clip(self, line: Line, recording: Recording) -> None:
        other, first = self._clips.setdefault(recording.video, (recording, line))
        if other is recording:
            return
        clip = recording.video.removeprefix(f"{self._domain}-")
        if "video" in (recording.kind, other.kind):
            problem = f"'{clip}' also names another file, and only images can share a clip"
            raise line.wrong("video", problem, also=first, remedy=_OWN_NAME)
        if (recording.subject, recording.attack_type) != (other.subject, other.attack_type):
            problem = f"the two images of clip '{clip}' differ in subject or attack type"
            raise line.wrong("video", problem, also=first, remedy=_OWN_NAME)


_KINDS = f"use {', '.join(ATTACK_TYPES)}, or a word of your own"
_LIVE = "correct the label, or leave the cell attack_type empty"
_NO_DEPTH = "leave the cell depth of this line empty"
_ONE_LINE = "remove one of the two lines"
_OTHER_FILE = "convert the file to one of these formats and write its new name, or remove this line"
_OWN_NAME = "give each clip a name of its own in column video, or leave the cell empty"


def _unlisted(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    more = ", …" if len(paths) > _SHOWN else ""
    return f"{len(paths)} file(s) are not in {NAME} and are left out: {', '.join(paths[:_SHOWN])}{more}"


def _own_types(recordings: Iterable[Recording]) -> str:
    own = Counter(r.attack_type for r in recordings if is_own(r.attack_type))
    named = ", ".join(f"{kind} ({count})" for kind, count in sorted(own.items()))
    return f"attack types that are not built in are kept as types of their own: {named}" if own else ""


def _stem(path: str) -> str:
    return path.rsplit(".", 1)[0]


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _counting(path: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 2 before 10."""
    parts = re.split(r"([0-9]+)", path)
    return [(int(part), "") if index % 2 else (0, part) for index, part in enumerate(parts)]


FOLDER = Folder()
