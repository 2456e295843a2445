"""Define the interface of a layout, and what its survey of a source returns."""

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
    """What was found in a source.

    Attributes:
        recordings: the recordings, sorted by path.
        missing: names of recordings that were expected and not found, if the layout knows the names.
        unknown: files that the layout does not recognise, for example because they were renamed.
        empty: recordings of zero bytes, and links to missing files. They are in `recordings` too.
        notes: decisions that the user should know about. They are stored in the manifest's contract, so a
            change of their words changes the fingerprints of data that is ingested again.
    """

    recordings: tuple[Recording, ...]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Layout(Protocol):
    """The rule by which one data set is laid out on disk."""

    @property
    def name(self) -> str:
        """Return the name that is typed on the command line."""

    @property
    def domain(self) -> str:
        """Return the name of the domain if the user gives none."""

    @property
    def about(self) -> str:
        """Return one line that describes the data set."""

    @property
    def expected(self) -> Counts | None:
        """Return the published numbers of recordings by official split and label; None if there are none."""

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """Find the recordings of a source without opening them.

        Args:
            root: the folder that holds the data set.
            domain: name of the domain; None for the layout's default.

        Raises:
            DataError: there is no recording of this layout, or the source's lists contradict its file names.
            StorageError: a folder or list cannot be read.
        """

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """Return the recordings of `survey`, sorted by path."""

    def faces(self, recording: Recording, root: Path) -> Boxes | None:
        """Read the data set's own annotation.

        Returns:
            A box for each annotated frame, in pixels of the file as stored, by the annotation's frame numbers.
            None if the data set has no annotation of this recording.

        Raises:
            DataError: the annotation cannot be parsed.
            StorageError: the annotation cannot be read.
        """


def counts(
    *, train: tuple[int, int], test: tuple[int, int], validation: tuple[int, int] | None = None
) -> Counts:
    """Return published counts by split and label, from one pair (live, attack) for each split."""
    given = {"train": train, "validation": validation, "test": test}
    return {(split, label): pair[1 - label] for split in SPLITS if (pair := given[split]) for label in (1, 0)}


def files_below(root: Path) -> list[str]:
    """Return the sorted relative paths of all files below a folder, without hidden ones.

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
    """Read a text file of the source. Raises StorageError if it cannot be read."""
    return read_bytes(root, path).decode("utf-8-sig", errors="replace")


def read_bytes(root: Path, path: str) -> bytes:
    """Read a file of the source. Raises MissingError if it does not exist, StorageError if it is unreadable."""
    try:
        return (root / path).read_bytes()
    except FileNotFoundError as error:
        raise MissingError(f"{root / path} does not exist", "restore it from the data set") from error
    except OSError as error:
        raise StorageError(
            f"{root / path} cannot be read: {error.strerror}", "check the file and its permissions"
        ) from error


def empty_among(root: Path, recordings: tuple[Recording, ...]) -> tuple[str, ...]:
    """Return the paths of recordings that have zero bytes or are links to missing files."""
    return tuple(r.path for r in recordings if not (file := root / r.path).exists() or not file.stat().st_size)


def is_companion(path: str) -> bool:
    """Return True if a file's name is that of a list, an annotation or a document, not of a recording."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.endswith(_COMPANIONS) or name.startswith(("readme", "license", "licence"))


def is_media(path: str) -> bool:
    """Return True if a file has the ending of a video or image."""
    return path.lower().endswith((*IMAGES, *VIDEOS))


def share(subject: str) -> float:
    """Return a number in [0, 1) that depends on the subject's name alone, to assign subjects to splits."""
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big") / 2**64


def _circular(folder: Path) -> bool:
    """Return True if a folder is a link to one of the folders above it."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _unreadable(error: OSError) -> None:
    # By default os.walk skips a folder that cannot be read, and its recordings would be missing without an
    # error.
    raise StorageError(
        f"the folder {error.filename} cannot be read: {error.strerror}", "give this user access to the folder"
    ) from error
