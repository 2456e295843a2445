"""Keep copies of shards on a node's disk, so that its processes fetch each shard once in all epochs.

A copy is named by the shard's SHA-256 and compared with it at every use. So two shards of the same name are
never confused, and a damaged copy is fetched again. If the cache cannot be written or locked, readers work
without it.
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
_ABANDONED_S = 3600.0  # seconds after which a partial copy is taken to be left over from a killed process

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return `rfmeta/shards` in the user's cache folder."""
    return absolute(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rfmeta" / "shards"


@dataclass(frozen=True)
class Cache:
    """The copies of shards on this node. Any number of processes and threads may share the folder.

    Attributes:
        folder: created at first use, readable by this user alone, because the copies contain faces.
        budget: bytes that all copies together may take; the least recently used copies are deleted first.
    """

    folder: Path
    budget: int = BUDGET

    @classmethod
    def of_node(cls, prefix: str, gigabytes: float) -> Cache | None:
        """Return this machine's cache for shards under `prefix`.

        Return None if `gigabytes` is 0 or the prefix is a local folder, where a cache would not be faster.
        """
        if not gigabytes or "://" not in prefix or prefix.startswith("file:"):
            return None
        return cls(default_folder(), int(gigabytes * 1e9))

    def get(self, shard: Shard, load: Callable[[], bytes], meter: Meter) -> bytes:
        """Return the shard's bytes from its cached copy, or call `load` and cache what it returns.

        If several processes want a shard at the same time, one loads it and the others wait for the copy.

        Args:
            shard: the shard to read.
            load: fetches the shard and checks it against the manifest; its errors are passed on.
            meter: counts hits, and copies that could not be written.
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
        """Delete the copy of the shard with this SHA-256, if there is one."""
        self._path(sha256).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.folder / f"{sha256}.tar"

    def _copy(self, shard: Shard, meter: Meter) -> bytes | None:
        path = self._path(shard.sha256)
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)  # `_make_room` does not delete a copy that is locked
                data = file.read()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() == shard.sha256:
            meter.add(cache_hits=1)
            with suppress(OSError):
                os.utime(path)
            return data
        _log.warning("the cached copy of a shard, %s, is damaged; the shard is fetched again", path)
        with suppress(OSError):
            path.unlink()
        return None

    @contextmanager
    def _alone(self, shard: Shard) -> Iterator[None]:
        """Lock this shard for one process of the node. The kernel releases the lock if the process dies."""
        # Lock files must never be deleted, because another process may hold them. Two digits make 256 of them.
        with self._lock(f"lock-{shard.sha256[:2]}"):
            yield

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        descriptor = -1
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            pass  # without the lock, two processes may fetch the same shard, which does no harm
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
                "a shard could not be cached in %s (%s); reading continues, and the shard is fetched each time",
                self.folder,
                error.strerror,
            )

    def _write(self, shard: Shard, data: bytes) -> None:
        path = self._path(shard.sha256)
        with partial_file(path) as partial:
            flushed(partial, data)
            partial.rename(path)

    def _make_room(self, size: int) -> None:
        """Delete the least recently used copies until `size` more bytes fit into the budget."""
        entries = sorted(self._entries())
        total = size + sum(length for _, length, _ in entries)
        for _, length, path in entries:
            if total <= self.budget:
                return
            if _removed(path):
                total -= length

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """Yield last use, size and path of every copy, and delete partial copies of killed processes."""
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                found = path.stat()
                if path.suffix == ".tar":
                    yield found.st_mtime, found.st_size, path
                elif path.name.startswith(PARTIAL) and time.time() - found.st_mtime > _ABANDONED_S:
                    path.unlink()


def _removed(path: Path) -> bool:
    """Delete a copy unless a process is reading it. Return True if the copy is gone."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
