"""Write files so that under their name there is either the whole file or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"  # starts the names of files being written; hidden, so that no layout reads them


@contextmanager
def partial_file(path: Path, suffix: str = "") -> Iterator[Path]:
    """Give an empty file beside `path`, to be written and then moved there; it is gone afterwards unless moved.

    Args:
        path: where the file is to be; the folders above it are made.
        suffix: how the partial file's name ends, for programs that go by the ending.

    Raises:
        OSError: the folder may not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=suffix)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def flushed(path: Path, data: bytes) -> None:
    """Write a file and flush it to the disk, so that a power cut does not leave an empty one under its name.

    Raises:
        OSError: the disk is full, or the file may not be written.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
