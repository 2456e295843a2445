"""Leases: the right of one process to write into a folder, an object `lease.json` that the process renews.

How a dead holder is told from a live one: on the same machine by its process number, at once; from another
machine, or where the system hides other users' processes, by the object, which changes every `RENEW_S` seconds
as long as its holder lives. What counts is whether the object changes while we watch, because the clocks of two
machines differ.
"""

from __future__ import annotations

import json
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
RENEW_S = 5.0
STALE_S = 30.0  # six renewals, so that a busy holder, or one whose store is away for a moment, keeps it
HASTE = Patience(tries=3, deadline=5.0)  # for one request; a renewal that took longer could miss STALE_S


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        token: of this holding; no other has the same.
        doing: what for, such as "trained".
        host: the machine's name.
        machine: identifies the running kernel and the process namespace, within which `pid` means something.
        pid: the process.
        born: when the process started, in the kernel's own count; tells it from a later one of the same number.
        started: when the lease was taken, in UTC by the holder's clock; only to be shown.
        renewals: how often the lease was renewed.
        released: True when the holder has given it back.
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
        """Return what `to_bytes` was called on; None if it is damaged."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None

    def to_bytes(self) -> bytes:
        """Return the content of the lease's object."""
        return json.dumps(asdict(self)).encode()

    @property
    def alive(self) -> bool | None:
        """Return True if the process runs, False if not; None if that cannot be seen, as on another machine."""
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
        """The token to pass to `require`."""
        return self._holder.token

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_S):
            try:
                self._write(replace(self._holder, renewals=self._holder.renewals + 1))
            except (ChangedError, MissingError):
                return  # taken over or deleted: `require` tells whoever writes next
            except StorageError:
                continue  # away for a while; the next renewal may reach it

    def _write(self, holder: Holder) -> None:
        try:
            self._tag = self._store.replace(NAME, holder.to_bytes(), self._tag)
        except ChangedError:
            # The store may have kept the renewal before although its answer was lost. That is no takeover.
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
        with suppress(StorageError):  # whoever comes next finds this process dead, or waits
            self._write(replace(self._holder, released=True))


@contextmanager
def held(store: Store, doing: str) -> Iterator[Lease]:
    """Hold the lease of a folder while the context is open; it is given back at its end, after an error too.

    If the last holder was on another machine and did not give the lease back, this waits until the lease is
    seen to be renewed, or `STALE_S` seconds have passed.

    Args:
        store: the folder.
        doing: what happens to the folder meanwhile, for the error of whoever comes second, such as "trained".

    Raises:
        RunError: another process holds it.
        StorageError: the store cannot be read or written, or lacks put-if-absent.
    """
    require_put_if_absent(store)
    lease = _take(store, Holder.me(doing))
    try:
        yield lease
    finally:
        lease.release()


def refuse_if_held(store: Store) -> None:
    """Look whether a live process on this machine holds the lease; takes nothing and waits for nothing.

    Raises:
        RunError: one does.
    """
    with suppress(MissingError):
        holder = Holder.parse(store.read(NAME))
        if holder is not None and not holder.released and holder.alive:
            raise _refused(store, holder)


def require(store: Store, token: str) -> None:
    """Check that the lease with this token still holds, before its folder is written to.

    Raises:
        RunError: another process has taken it over.
        StorageError: the store cannot be read.
    """
    holder = Holder.parse(store.read(NAME))
    if holder is None or holder.token != token:
        by = f"process {holder.pid} on {holder.host}" if holder else "another process"
        raise RunError(
            f"{store.url} was taken over by {by}, because this process did not renew its lease "
            f"for {STALE_S:.0f} s",
            "nothing is lost: let the other process continue",
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
            continue  # somebody was quicker, and is the one to judge by


def _watch(store: Store, holder: Holder | None, tag: str) -> None:
    """Return when the lease has not changed for `STALE_S` seconds.

    Raises:
        ChangedError: it changed; whoever holds it is refused by the caller.
        RunError: its holder renewed it.
    """
    end = time.monotonic() + STALE_S
    while time.monotonic() < end:
        time.sleep(RENEW_S / 5)
        data, now = store.read_tagged(NAME)
        if now != tag:
            found = Holder.parse(data)
            if found is not None and holder is not None and found.token == holder.token and not found.released:
                raise _refused(store, found)
            raise ChangedError(f"{store.url}/{NAME} has changed", "look again")


def _refused(store: Store, holder: Holder) -> RunError:
    return RunError(
        f"{store.url} is being {holder.doing} already, by process {holder.pid} on {holder.host} since "
        f"{holder.started}",
        "let that process end, or stop it first; for another run set --set run.name=…",
    )


def _machine() -> str:
    """Return what a process number is unique in: this start of the kernel, and the namespace of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""  # not Linux: every other process counts as one on another machine


def _born(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks since it booted.

    Empty if there is no such process; None if there is one that /proc does not show, as with `hidepid`.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if _exists(pid) else ""
    return "" if fields[0] in "ZX" else fields[19]  # a zombie is dead; field 3 is the state, 22 the start


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True
