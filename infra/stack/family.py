"""Find and end every process that this one has started, also those that detached themselves.

Ray's processes call setsid, and those that change their name overwrite the environment that /proc shows. A
process group or a mark in the environment therefore misses some of them. The kernel's own record does not: a
process that called `adopt_orphans` becomes the parent of each descendant whose parent has ended, so all of them
stay below it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None)
_ZOMBIE = "Z"
_LONGEST_S = 30  # a process in an uninterruptible system call, such as one of a dead disk, cannot be killed


class Process(NamedTuple):
    """A process. The time at which it started tells it from a later one with the same number.

    Attributes:
        pid: its number.
        start: clock ticks between the start of the machine and that of the process.
    """

    pid: int
    start: int


def adopt_orphans() -> None:
    """Make this process the parent of each of its descendants whose own parent ends."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent ends. It is called between fork and exec."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def descendants(root: int) -> list[Process]:
    """Return the running processes below a process, without those that have ended but are not reaped yet."""
    table = _table()
    found, ancestors = [], {root}
    grown = True
    while grown:
        below = {pid for pid, (_, parent, _) in table.items() if parent in ancestors} - ancestors
        found += [Process(pid, table[pid][2]) for pid in sorted(below) if table[pid][0] != _ZOMBIE]
        ancestors |= below
        grown = bool(below)
    return found


def kill(processes: list[Process]) -> None:
    """Send SIGKILL to those of the processes that still run."""
    for process in processes:
        entry = _entry(process.pid)
        if entry is not None and entry[2] == process.start:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def reap(known: Collection[int]) -> None:
    """Remove ended children from the process table, except the known ones, for which somebody else waits."""
    for pid, (state, parent, _) in _table().items():
        if state == _ZOMBIE and parent == os.getpid() and pid not in known:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_all(spared: Collection[int] = ()) -> list[Process]:
    """Kill every descendant of this process, again and again until none is left, as they may start others.

    Args:
        spared: numbers of processes that are left alone, with all below them.

    Returns:
        The processes that could not be ended within 30 s; normally none.
    """
    deadline = time.monotonic() + _LONGEST_S
    while True:
        kept = {process for pid in spared for process in descendants(pid)}
        left = [p for p in descendants(os.getpid()) if p not in kept and p.pid not in spared]
        if not left or time.monotonic() > deadline:
            reap(spared)
            return left
        kill(left)
        time.sleep(0.02)
        reap(spared)


def keep(work: Callable[[], int]) -> int:
    """Run `work` in a child process, pass signals on to it, and then end whatever it has left behind.

    The two processes guard each other. If the child is killed, this one ends its descendants. If this one is
    killed, the kernel sends the child SIGTERM, on which `work` ends in order.

    Returns:
        The exit code of `work`; 128 + N if signal N ended the child.
    """
    adopt_orphans()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _run(work, parent)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup has set SIGHUP to be ignored
            signal.signal(number, lambda received, _: _pass_on(child, received))
    _, status = os.waitpid(child, 0)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    end_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _run(work: Callable[[], int], parent: int) -> NoReturn:
    os.setsid()  # Ctrl-C reaches the parent alone, which passes it on once
    end_with_parent()
    adopt_orphans()
    code = 1
    try:
        if os.getppid() == parent:
            for number in SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, _leave)
            code = work()
    except SystemExit as ending:
        code = int(ending.code or 0)
    except BaseException:  # noqa: BLE001 -- this process ends here, so nobody else would show the error
        traceback.print_exc()
    end_all()
    os._exit(code)


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the clean-up
    raise SystemExit(128 + number)


def _table() -> dict[int, tuple[str, int, int]]:
    """Return state, parent and start of each process by its number."""
    entries = {int(place.name): _entry(int(place.name)) for place in Path("/proc").glob("[0-9]*")}
    return {pid: entry for pid, entry in entries.items() if entry is not None}


def _entry(pid: int) -> tuple[str, int, int] | None:
    try:
        # The name, in parentheses, may itself contain spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[19])
