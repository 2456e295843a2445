"""Walk over the files of a folder in a fixed order, and open those that are pictures or videos by content.

Names are as the operating system gives them: bytes that are not UTF-8 are kept as surrogates, so that such
files can be opened. `shown` converts a name to text.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

from rfmeta_dist.deploy.results import REASONS, Refused
from rfmeta_dist.ingest.still import HEAD, is_still

if TYPE_CHECKING:
    from rfmeta_dist.deploy.results import Reason

Parts = tuple[str, ...]  # the components of a path below the folder that is walked over
MAX_BYTES = 1 << 29  # largest still picture that is read; the pixels of an uncompressed one are below this
_HEAD = 200  # bytes that identify the format of a video
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # which an MP4 or MOV may begin with
_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM
    b"\x00\x00\x01\xba",  # MPEG
    b"\x00\x00\x01\xb3",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF
    b"FLV\x01",
)


@dataclass(frozen=True)
class Entry:
    """A file, or a folder that cannot be listed.

    Attributes:
        parts: its path below the folder that is walked over.
        problem: why the folder cannot be listed; None for a file.
    """

    parts: Parts
    problem: Refused | None = None

    @property
    def name(self) -> str:
        """Return the path as text, with `/`."""
        return shown("/".join(self.parts))


def shown(name: str) -> str:
    """Return a name as valid text: bytes that are not UTF-8 become escapes, such as `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def walk(folder: str, after: Parts | None = None) -> Iterator[Entry]:
    """Yield all files below a folder, those of each subfolder at the subfolder's place in the order of names.

    The order depends on the names alone, not on the file system. One folder's names, and those of the folders
    that it lies in, are held at a time. Links to folders are yielded as files and not followed, so links cannot
    lead in a circle.

    Args:
        folder: an existing folder.
        after: the path of an entry; what comes before it in the order, and the entry itself, is left out. It
            need not exist any more.
    """
    # A stack instead of recursion, because folders may be nested more deeply than Python calls functions.
    stack = [_listed(folder, (), after)]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
        elif isinstance(entry, Entry):
            yield entry
        else:
            rest = after[len(entry) :] if after and after[: len(entry)] == entry else None
            stack.append(_listed(folder, entry, rest))


def _listed(folder: str, parts: Parts, after: Parts | None) -> Iterator[Entry | Parts]:
    """Yield the files of one folder as entries, and the paths of its subfolders, in the order of the names."""
    try:
        with os.scandir(os.path.join(folder, *parts)) as found:
            names = sorted((os.fsencode(item.name), item.is_dir(follow_symlinks=False)) for item in found)
    except OSError as error:
        if not after:
            yield Entry(parts, failed(error))
        return
    first = os.fsencode(after[0]) if after else b""
    for name, is_folder in names:
        path = (*parts, os.fsdecode(name))
        if is_folder and (name > first or (name == first and after and len(after) > 1)):
            yield path
        elif not is_folder and name > first:
            yield Entry(path)


def failed(error: OSError) -> Refused:
    """Return the refusal of a file that the operating system does not let us read."""
    reasons: dict[int | None, Reason] = {errno.ENOENT: "gone", errno.ENOTDIR: "gone", errno.ELOOP: "link"}
    reason = reasons.get(error.errno, "unreadable")
    return Refused(
        reason, REASONS[reason] if reason != "unreadable" else _sentence(error.strerror or str(error))
    )


@contextmanager
def opened(path: str) -> Iterator[BinaryIO | Refused]:
    """Open a regular file for reading. A pipe or device is refused without waiting for it."""
    try:
        if refused := _irregular(os.stat(path)):
            yield refused
            return
        # The file may have been replaced by a pipe since: opening one would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        yield failed(error)
        return
    with open(descriptor, "rb") as file:
        yield _irregular(os.fstat(descriptor)) or file


def _irregular(state: os.stat_result) -> Refused | None:
    if stat.S_ISDIR(state.st_mode):
        return Refused("link", REASONS["link"])
    return None if stat.S_ISREG(state.st_mode) else Refused("no_file", REASONS["no_file"])


def kind(head: bytes) -> Literal["picture", "video"] | Refused:
    """Return what a file with these first bytes is.

    Args:
        head: its first 200 bytes, or all of it.
    """
    if not head:
        return Refused("unreadable", "The file is empty.")
    try:
        if is_still(head[:HEAD]):
            return "picture"
    except ValueError as error:
        return Refused("unreadable", _sentence(str(error)))
    return "video" if _is_video(head) else Refused("no_picture", REASONS["no_picture"])


def head_of(file: BinaryIO) -> bytes:
    """Return the first bytes of an open file, which `kind` needs, and go back to its start."""
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _is_video(head: bytes) -> bool:
    stream = any(head[start : start + 1] == b"G" == head[start + 188 : start + 189] for start in (0, 4))
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return avi or stream or head[4:8] in _BOXES or head.startswith(_STARTS)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
