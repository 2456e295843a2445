"""Shards kept on a node's disk, so that its processes and epochs fetch each of them once.

A copy is filed under the shard's SHA-256 and checked against it at every use: two shards of one name never mix,
and a damaged copy is as good as none. The cache can only help. Where it cannot be written or locked, readers go
on without it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rfmeta_dist.core.partial import PARTIAL, flushed, partial_file
from rfmeta_dist.core.places import absolute
from rfmeta_dist.data.reading.meter import Meter
from rfmeta_dist.data.shards.manifest import Shard

BUDGET = 50_000_000_000
_ABANDONED_S = 3600.0  # a partial copy this old is of a process that was killed

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """`rfmeta/shards` in the user's cache folder."""
    return absolute(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rfmeta" / "shards"


@dataclass(frozen=True)
class Cache:
    """The node's copies of shards; any number of processes and threads may share the folder.

    Attributes:
        folder: made when first used, for this user alone: it holds faces.
        budget: bytes that the copies may take together; the longest unused make room.
    """

    folder: Path
    budget: int = BUDGET

    @classmethod
    def of_node(cls, prefix: str, gigabytes: float) -> Cache | None:
        """The cache of this machine for shards under `prefix`; None for a folder, which would gain nothing."""
        if not gigabytes or "://" not in prefix or prefix.startswith("file:"):
            return None
        return cls(default_folder(), int(gigabytes * 1e9))

    def get(self, shard: Shard, load: Callable[[], bytes], meter: Meter) -> bytes:
        """The shard's bytes, from its copy or else from `load`, whose result is kept.

        Of several processes that want a shard at once, one loads it and the others wait for its copy.

        Args:
            shard: what is wanted.
            load: fetches it, checked against the manifest; its errors are passed on.
            meter: counts hits, and copies that could not be made.
        """
        found = self._copy(shard, meter)
        if found is not None:
            return found
        with self._alone(shard):
            found = self._copy(shard, meter)
            if found is None:
                found = load()
                self._keep(shard, found, meter)
        return found

    def drop(self, sha256: str) -> None:
        """Remove the copy of a shard that must not be kept, if there is one."""
        self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.tar"

    def _copy(self, shard: Shard, meter: Meter) -> bytes | None:
        path = self._path(shard.sha256)
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)  # while it is held, the copy makes room for no other
                data = file.read()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() == shard.sha256:
            meter.add(cache_hits=1)
            with suppress(OSError):
                os.utime(path)
            return data
        _log.warning("the copy of a shard in %s was damaged and is fetched again", path)
        with suppress(OSError):
            path.unlink()
        return None

    @contextmanager
    def _alone(self, shard: Shard) -> Iterator[None]:
        """Hold the lock of this shard among the node's processes; the kernel frees it for one that dies."""
        with self._lock(f"lock-{shard.sha256[:2]}"):  # few, as a lock that is deleted would not lock
            yield

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = -1
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            pass  # unlocked, the worst is that two processes fetch the same shard
        try:
            yield
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _keep(self, shard: Shard, data: bytes, meter: Meter) -> None:
        if len(data) > self.budget:
            return
        try:
            with self._lock("lock-room"):
                self._make_room(len(data))
                self._write(shard, data)
        except OSError as error:
            meter.add(cache_faults=1)
            _log.warning(
                "a shard could not be cached in %s (%s); work continues without the copy",
                self.folder,
                error.strerror,
            )

    def _write(self, shard: Shard, data: bytes) -> None:
        path = self._path(shard.sha256)
        with partial_file(path) as partial:
            flushed(partial, data)
            partial.rename(path)

    def _make_room(self, size: int) -> None:
        """Remove the longest unused copies until `size` more bytes fit the budget."""
        entries = sorted(self._entries())
        total = size + sum(length for _, length, _ in entries)
        for _, length, path in entries:
            if total <= self.budget:
                return
            if _removed(path):
                total -= length

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Last use, size and path of every copy; abandoned partial copies are removed on the way."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                found = path.stat()
                if path.suffix == ".tar":
                    yield found.st_mtime, found.st_size, path
                elif path.name.startswith(PARTIAL) and time.time() - found.st_mtime > _ABANDONED_S:
                    path.unlink()


def _removed(path: Path) -> bool:
    """Remove a copy unless somebody is reading it."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
