"""Define what a layout is, and what it finds in a source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.ingest.recording import Boxes, Recording
from rfmeta_dist.storage.errors import MissingError

Counts = Mapping[tuple[Split, int], int]  # recordings by official split and label

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
VIDEOS = (".avi", ".mov", ".mp4", ".mkv", ".m4v", ".webm")
_COMPANIONS = (".txt", ".face", ".pdf", ".md", ".rst", ".lst", ".csv", ".json", ".html", ".m")


@dataclass(frozen=True)
class Survey:
    """What is in a source.

    Attributes:
        recordings: the recordings, sorted by path.
        missing: names of recordings that should be there but are not, as far as the layout knows the names.
        unknown: files that are not part of the layout: renamed, additional, or of another kind.
        empty: recordings of zero bytes and broken links. They are in `recordings` too.
        notes: lines about decisions that the user should know of. They are kept in the manifest.
        hints: further lines for the user, which are not kept.
    """

    recordings: tuple[Recording, ...]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


class Layout(Protocol):
    """How one data set is stored on disk."""

    @property
    def name(self) -> str:
        """Return the name that is typed on the command line."""

    @property
    def domain(self) -> str:
        """Return the name of the domain if the user gives none."""

    @property
    def about(self) -> str:
        """Return one line about the data set."""

    @property
    def expected(self) -> Counts | None:
        """Return the published numbers of recordings by official split and label; None if not known."""

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """List the recordings of a source without opening them.

        Args:
            root: the folder that holds the data set.
            domain: name of the domain; the layout's own if not given.

        Raises:
            DataError: the folder has no recordings of this layout, or its lists contradict its file names.
            StorageError: a folder or list cannot be read.
        """

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """Return the recordings of `survey`, sorted by path."""

    def faces(self, recording: Recording, root: Path) -> Boxes | None:
        """Read the data set's own face annotation of a recording.

        Returns:
            A box for each annotated frame, in pixels of the file as stored and numbered as the annotation
            numbers them; None if the data set has none for this recording.

        Raises:
            DataError: the annotation cannot be understood.
            StorageError: the annotation cannot be read.
        """


def counts(
    *, train: tuple[int, int], test: tuple[int, int], validation: tuple[int, int] | None = None
) -> Counts:
    """Return published numbers of recordings by split and label. Each argument is (live, attack)."""
    given = {"train": train, "validation": validation, "test": test}
    return {(split, label): pair[1 - label] for split in SPLITS if (pair := given[split]) for label in (1, 0)}


def files_below(root: Path) -> list[str]:
    """Return the relative paths of all files, sorted. Hidden files and folders are left out.

    Raises:
        DataError: `root` is not a folder.
        StorageError: a folder cannot be read.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder", "give the folder that holds the unpacked data set")
    found: list[str] = []
    for folder, inner, names in os.walk(root, onerror=_unreadable, followlinks=True):
        here = Path(folder)
        inner[:] = [name for name in inner if not name.startswith(".") and not _circular(here / name)]
        base = here.relative_to(root).as_posix()
        prefix = "" if base == "." else f"{base}/"
        found += [prefix + name for name in names if not name.startswith(".")]
    return sorted(found)


def read_text(root: Path, path: str) -> str:
    """Return a text file of the source. Raises StorageError if it cannot be read."""
    return read_bytes(root, path).decode("utf-8-sig", errors="replace")


def read_bytes(root: Path, path: str) -> bytes:
    """Return a file of the source. Raises MissingError if it does not exist, StorageError if unreadable."""
    try:
        return (root / path).read_bytes()
    except FileNotFoundError as error:
        raise MissingError(
            f"{root / path} does not exist", f"restore it, or check that {root} is the data set's folder"
        ) from error
    except OSError as error:
        raise StorageError(
            f"{root / path} cannot be read: {error.strerror}",
            "give this user permission to read the file, or copy it again if the disk reports an error",
        ) from error


def empty_among(root: Path, recordings: tuple[Recording, ...]) -> tuple[str, ...]:
    """Return the paths of recordings with zero bytes or a broken link."""
    return tuple(r.path for r in recordings if not (file := root / r.path).exists() or not file.stat().st_size)


def is_companion(path: str) -> bool:
    """Return True if a file's ending says that it is a list, annotation or document, so not a recording."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.endswith(_COMPANIONS) or name.startswith(("readme", "license", "licence"))


def is_media(path: str) -> bool:
    """Return True if a file's ending says that it is a video or an image."""
    return path.lower().endswith((*IMAGES, *VIDEOS))


def share(subject: str) -> float:
    """Return a number in [0, 1) that depends on the subject's name alone, to assign subjects to splits."""
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big") / 2**64


def _circular(folder: Path) -> bool:
    """Return True if a folder is a link to a folder that contains it."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _unreadable(error: OSError) -> None:
    # By default, os.walk skips a folder that it may not enter, and its recordings would be missing silently.
    raise StorageError(
        f"the folder {error.filename} cannot be read: {error.strerror}",
        "give this user permission to read the folder",
    ) from error
