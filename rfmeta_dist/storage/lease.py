"""Give one process the right to write into a folder: a lease, which is an object `lease.json` that it renews.

A holder on the same machine is known to be alive or dead by its process number, at once. A holder on another
machine, or one that the system hides, is alive if the object changes while it is watched: the holder renews it
every `RENEW_S` seconds. Times in the object are not compared, because the clocks of two machines differ.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.storage.errors import AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.s3 import Patience, S3Store
from rfmeta_dist.storage.store import Store

NAME = "lease.json"
_log = logging.getLogger(__name__)
RENEW_S = 5.0
STALE_S = 30.0  # six renewals: a holder that is busy or cannot reach the store for a moment keeps its lease
HASTE = Patience(tries=3, deadline=5.0)  # limits of one request, so that a renewal is not later than STALE_S


@dataclass(frozen=True)
class Holder:
    """The process that holds a lease; the content of `lease.json`.

    Attributes:
        token: random text that identifies this holding.
        doing: what the process does to the folder, such as "trained"; used in messages.
        host: name of the machine.
        machine: identifies the running kernel and the process namespace, within which `pid` is unique.
        pid: number of the process.
        born: start time in the kernel's ticks; a later process with the same number has a different one.
        started: when the lease was taken, in UTC by the holder's clock; used in messages only.
        renewals: number of times that the lease was renewed.
        released: True if the holder has given the lease back.
    """

    token: str
    doing: str
    host: str
    machine: str
    pid: int
    born: str
    started: str
    renewals: int = 0
    released: bool = False

    @classmethod
    def me(cls, doing: str) -> Holder:
        """Return this process as a holder."""
        return cls(
            token=uuid4().hex,
            doing=doing,
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            born=_born(os.getpid()) or "",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    @classmethod
    def parse(cls, data: bytes) -> Holder | None:
        """Return the holder that `to_bytes` has written; None if the content is damaged."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None

    def to_bytes(self) -> bytes:
        """Return the content of the lease's object."""
        return json.dumps(asdict(self)).encode()

    @property
    def alive(self) -> bool | None:
        """Return True if the process runs, False if not, and None if it is unknown (on another machine)."""
        if not self.machine or self.machine != _machine():
            return None
        born = _born(self.pid)
        return None if born is None else born == self.born


class Lease:
    """A lease that this process holds."""

    def __init__(self, store: Store, holder: Holder, tag: str) -> None:
        self._store = replace(store, patience=HASTE) if isinstance(store, S3Store) else store
        self._holder, self._tag = holder, tag
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    @property
    def token(self) -> str:
        """Return the token to pass to `require`."""
        return self._holder.token

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                self._write(replace(self._holder, renewals=self._holder.renewals + 1))
            except (ChangedError, MissingError):
                return  # the lease was taken over or deleted; `require` raises an error before the next write
            except StorageError:
                continue  # the store cannot be reached now; the next renewal may succeed

    def _write(self, holder: Holder) -> None:
        try:
            self._tag = self._store.replace(NAME, holder.to_bytes(), self._tag)
        except ChangedError:
            # The store may have accepted the previous renewal although its answer was lost. Check the token.
            data, tag = self._store.read_tagged(NAME)
            found = Holder.parse(data)
            if found is None or found.token != holder.token:
                raise
            self._tag = self._store.replace(NAME, holder.to_bytes(), tag)
        self._holder = holder

    def release(self) -> None:
        """Give the lease back, unless another process has taken it over."""
        self._ended.set()
        self._thread.join()
        with suppress(StorageError):  # if this fails, the next process finds this one dead, or waits STALE_S
            self._write(replace(self._holder, released=True))


SEARCHED = "searched"  # what a study does to its folder
RETRAINED = "retrained"  # what a retraining does to its folder


@contextmanager
def held(store: Store, doing: str) -> Iterator[Lease]:
    """Hold the lease of a folder while the context is open, and give it back at its end, also after an error.

    If the last holder is on another machine and has not given the lease back, this waits until that holder
    renews the lease (an error), or until `STALE_S` seconds have passed without a renewal.

    Args:
        store: the folder.
        doing: what this process does to the folder, such as "trained"; used in the error of other processes.

    Raises:
        RunError: another process holds the lease.
        StorageError: the store cannot be read or written, or lacks put-if-absent.
    """
    require_put_if_absent(store)
    lease = _take(store, Holder.me(doing))
    try:
        yield lease
    finally:
        lease.release()


def refuse_if_held(store: Store) -> None:
    """Raise an error if a running process on this machine holds the lease. Do not take the lease or wait.

    Raises:
        RunError: a process on this machine holds the lease.
    """
    with suppress(MissingError):
        holder = Holder.parse(store.read(NAME))
        if holder is not None and not holder.released and holder.alive:
            raise _refused(store, holder)


def require(store: Store, token: str) -> None:
    """Check that the lease with this token is still valid. Call it before writing into the folder.

    Raises:
        RunError: another process has taken the lease over.
        StorageError: the store cannot be read.
    """
    holder = Holder.parse(store.read(NAME))
    if holder is None or holder.token != token:
        by = f"process {holder.pid} on {holder.host}" if holder else "another process"
        raise RunError(
            f"{store.url} was taken over by {by}, because this process did not renew its lease "
            f"for {STALE_S:.0f} s",
            "nothing needs to be done: no result is lost, and the other process continues",
        )


def _take(store: Store, me: Holder) -> Lease:
    while True:
        with suppress(AlreadyExistsError):
            store.create(NAME, me.to_bytes())
        try:
            data, tag = store.read_tagged(NAME)
            holder = Holder.parse(data)
            if holder is not None and holder.token == me.token:
                return Lease(store, me, tag)
            if holder is not None and holder.alive and not holder.released:
                raise _refused(store, holder)
            if holder is None or not (holder.released or holder.alive is False):
                _watch(store, holder, tag)
            return Lease(store, me, store.replace(NAME, me.to_bytes(), tag))
        except (ChangedError, MissingError):
            continue  # another process was quicker: look at the lease again


def _watch(store: Store, holder: Holder | None, tag: str) -> None:
    """Return after the lease has not changed for `STALE_S` seconds.

    Raises:
        ChangedError: another process has taken the lease meanwhile.
        RunError: the holder has renewed the lease, so it is alive.
    """
    who = f"process {holder.pid} on {holder.host}" if holder else "another process"
    _log.warning("%s may still write into %s; this is known in at most %.0f s", who, store.url, STALE_S)
    end = time.monotonic() + STALE_S
    while time.monotonic() < end:
        time.sleep(RENEW_S / 5)
        data, now = store.read_tagged(NAME)
        if now != tag:
            found = Holder.parse(data)
            if found is not None and holder is not None and found.token == holder.token and not found.released:
                raise _refused(store, found)
            raise ChangedError(f"{store.url}/{NAME} has changed", "give the command again")


def _refused(store: Store, holder: Holder) -> RunError:
    others = {SEARCHED: "; to start another study, give --set folder=…", RETRAINED: ""}
    other = others.get(holder.doing, "; to start another run, give --set run.name=…")
    return RunError(
        f"{store.url} is being {holder.doing} already, by process {holder.pid} on {holder.host} since "
        f"{holder.started}",
        f"wait until that process ends or stop it{other}",
    )


def _machine() -> str:
    """Return a text for this start of the kernel and this process namespace, in which numbers are unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux: other processes are treated as if they were on another machine


def _born(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks since the boot.

    The text is empty if there is no such process. None means that there is one, but /proc hides it (`hidepid`).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if _exists(pid) else ""
    return "" if fields[0] in "ZX" else fields[19]  # Z and X are dead; field 3 is the state, 22 the start


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # the process belongs to another user
    return True
