"""Use a folder on disk as an object store."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.core.partial import PARTIAL, flushed, partial_file
from rfmeta_dist.core.places import absolute
from rfmeta_dist.storage.api import checked
from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, ChangedError, MissingError

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class LocalStore:
    """An object store whose objects are files below a folder. The first write creates the folder."""

    url: str

    @classmethod
    def at(cls, path: str) -> LocalStore:
        """Open a folder. The path becomes absolute, because other processes may run in other folders."""
        return cls(str(absolute(path)))

    def read(self, name: str) -> bytes:
        """Return the whole file. Raises `MissingError` if it does not exist."""
        with _explained(path := self._path(name)):
            return path.read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write a temporary file in the same folder, flush it to disk, then move it into place."""
        with _explained(path := self._path(name)), _partial(path, data) as partial:
            partial.replace(path)
            _flush_folder(path.parent)

    def create(self, name: str, data: bytes) -> None:
        """Write a file that does not exist yet. A hard link is made, because a move would overwrite.

        Raises:
            AlreadyExistsError: the file exists.
            StorageError: the disk has no hard links, or the file cannot be written.
        """
        with _explained(path := self._path(name)), _partial(path, data) as partial:
            try:
                os.link(partial, path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                raise StorageError(
                    f"{path}: this disk has no hard links ({error.strerror}), so two writers could both create "
                    "this file, and one would overwrite the other",
                    "use a folder on another disk; FAT and some network disks have no hard links",
                ) from error
            _flush_folder(path.parent)

    def read_tagged(self, name: str) -> tuple[bytes, str]:
        """Return the whole file and the SHA-256 of its content. Raises `MissingError` if it does not exist."""
        data = self.read(name)
        return data, _tag(data)

    def replace(self, name: str, data: bytes, tag: str) -> str:
        """Compare the tag and write while holding a lock that every `replace` of this file takes; see `Store`.

        On a disk without locks, such as some network disks, two calls at the same time may both succeed.
        """
        with _explained(path := self._path(name)), _locked(path):
            try:
                found = _tag(path.read_bytes())
            except FileNotFoundError:
                found = ""
            if found != tag:
                raise ChangedError(f"{path} has been changed by another writer", "give the command again")
            with _partial(path, data) as partial:
                partial.replace(path)
                _flush_folder(path.parent)
        return _tag(data)

    def exists(self, name: str) -> bool:
        """Return True if there is a file with this name."""
        with _explained(path := self._path(name)):
            return path.is_file()

    def list(self, prefix: str = "") -> list[str]:
        """Return the sorted names of all files below the folder `prefix`, without temporary files."""
        root = Path(self.url)
        with _explained(top := self._path(prefix) if prefix else root):
            return sorted(
                path.relative_to(root).as_posix()
                for path in top.rglob("*")
                if path.is_file() and not path.name.startswith(PARTIAL)
            )

    def delete(self, name: str) -> None:
        """Delete the file if it exists."""
        with _explained(path := self._path(name)):
            path.unlink(missing_ok=True)

    def sub(self, name: str) -> LocalStore:
        """Return the store in the folder `name`."""
        return LocalStore(str(self._path(name)))

    def _path(self, name: str) -> Path:
        return Path(self.url) / checked(name)


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a file by locking another file in its folder. The kernel frees the lock if its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.parent / f"{PARTIAL}lock-{path.name}"
    descriptor = _lock(lock)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Return an open descriptor of the lock. On a disk without locks it does not exclude other processes."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.fstat(descriptor).st_ino == path.stat().st_ino:
                    return descriptor
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return descriptor
            os.close(descriptor)
            raise
        # The last holder has deleted the file meanwhile, and a deleted file's lock excludes nobody: try again.
        os.close(descriptor)


@contextmanager
def _partial(path: Path, data: bytes) -> Iterator[Path]:
    """Yield a flushed temporary file with the data, in the folder of `path`. Delete it unless it was moved."""
    with partial_file(path) as partial:
        flushed(partial, data)
        partial.chmod(0o644)  # temporary files are private, but other users must be able to read data sets
        yield partial


def _flush_folder(folder: Path) -> None:
    # Without this, the new name may be lost in a power failure although the content is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Convert an error of the operating system about `path` into a StorageError."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(
            f"{path} does not exist", "check the spelling and the folder that the path begins in"
        ) from error
    except FileExistsError as error:
        raise AlreadyExistsError(f"{path} exists already", "choose another name") from error
    except PermissionError as error:
        raise AccessError(f"{path}: permission denied", "check the owner and mode of the folder") from error
    except OSError as error:
        remedy = "check the path and the disk"
        if error.errno in _FULL:
            remedy = "free space on that disk or raise the quota; no partly written file is left"
        raise StorageError(f"{path}: {error.strerror or error}", remedy) from error
