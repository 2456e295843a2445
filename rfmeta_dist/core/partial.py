"""Write files atomically: under a file's name there is either the whole file or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"  # prefix of files that are being written; hidden, so that no data set layout reads them


@contextmanager
def partial_file(path: Path, suffix: str = "") -> Iterator[Path]:
    """Create an empty temporary file beside `path`. The caller writes it and renames it to `path`.

    A file that was not renamed is deleted when the context ends.

    Args:
        path: the final path; missing parent folders are created.
        suffix: ending of the temporary file's name, for programs that choose a format by the ending.

    Raises:
        OSError: the folder cannot be written.
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
    """Write a file and flush it to the disk, so that a power failure does not leave an empty file.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
