"""Run sections one after the other, each in a process of its own, within a limit of time.

After an illegal memory access, CUDA refuses all further work of a process, and a kernel or collective that
hangs cannot be interrupted. So each section has its own process, and a section that crashes or hangs is lost
alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.gpu.settings import Settings
from rfmeta_dist.core.errors import RfmetaError, VerificationError

Row = dict[str, Any]
# On a CPU, processes are forked from one that has imported these. At tiny size, importing torch in each process
# would take longer than its work. DDP and Adam need torch._dynamo.
PRELOADED = ["torch._dynamo", "bench.gpu.exact", "bench.gpu.feeding", "bench.gpu.resume", "bench.gpu.steps"]
TINY = 0.1  # share of a section's `least` at tiny size


@dataclass(frozen=True)
class Teller:
    """What a section is given to tell its results as it finds them; they outlive its process.

    Attributes:
        pipe: the end of the pipe that the section writes to.
        until: time of `time.monotonic` at which the section will be ended.
    """

    pipe: Connection
    until: float

    def __call__(self, name: str, row: Row) -> None:
        """Tell a row, or tell it again with more figures."""
        self.pipe.send((name, row))

    def left(self) -> float:
        """Return the seconds until the section is ended."""
        return self.until - time.monotonic()


@dataclass(frozen=True)
class Section:
    """A part of the benchmark.

    Attributes:
        name: its key in the JSON.
        work: measures and tells rows; raises an error if a figure is wrong. It must be importable by name.
        least: the section is skipped if fewer seconds than this are left.
        most: the section is ended after this many seconds.
    """

    name: str
    work: Callable[[Settings, Teller], None]
    least: float
    most: float


@dataclass
class Outcome:
    """What became of a section: `done`, `failed`, `skipped`, or `ended` because its time was over.

    Attributes:
        status: one of these words.
        seconds: the time that it took.
        error: one line that says why it is not done.
        where: file, within its folder, and line where the error was raised.
        rows: the rows that were told, by name.
    """

    status: str = "done"
    seconds: float = 0.0
    error: str | None = None
    where: str | None = None
    rows: dict[str, Row] = field(default_factory=dict)


def one_line(error: BaseException) -> str:
    """Return what an error says in one line of at most 300 characters."""
    kind = "" if isinstance(error, RfmetaError) else f"{type(error).__name__}: "
    return (kind + " ".join(str(error).split()))[:300]


def require(right: bool, problem: str, remedy: str = "the rows of the section have the figures") -> None:
    """Let the section fail if a figure is wrong.

    Raises:
        VerificationError: `right` is False.
    """
    if not right:
        raise VerificationError(problem, remedy)


def run_all(
    sections: Sequence[Section],
    settings: Settings,
    seconds: float,
    after: Callable[[dict[str, Outcome]], None] = lambda _: None,
) -> dict[str, Outcome]:
    """Run sections in order and return what became of each, by name.

    Args:
        sections: what to run.
        settings: given to each section.
        seconds: time for all of them. Sections for which too little is left are skipped.
        after: called with the outcomes so far after each section.
    """
    start, outcomes = time.monotonic(), {}
    for section in sections:
        left = start + seconds - time.monotonic()
        least = section.least * (TINY if settings.tiny else 1)
        if left < least:
            why = f"needs about {least:.0f} s, and {max(left, 0):.0f} s are left; give --minutes more"
            outcomes[section.name] = Outcome("skipped", error=why)
        else:
            say(start, f"{section.name} …")
            outcomes[section.name] = _run(section, settings, min(left, section.most), start)
        found = outcomes[section.name]
        say(start, f"{section.name}: {found.status}{f': {found.error}' if found.error else ''}")
        after(outcomes)
    return outcomes


def processes(device: str) -> Any:
    """Return how processes are started for a device.

    For CUDA they are spawned. A process that is forked after CUDA was asked for anything cannot use CUDA, and
    an import may ask.
    """
    if device == "cuda":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def join_group(settings: Settings, group: int) -> None:
    """Let this process belong to a process group, 0 for a new one, so that it ends with its section.

    At tiny size it gets one thread: several would wait for each other longer than they compute.
    """
    import torch

    os.setpgid(0, group)
    if settings.tiny:
        torch.set_num_threads(1)


def say(start: float, text: str) -> None:
    """Print a line of progress, with the seconds since the start, to stderr."""
    print(f"[{time.monotonic() - start:4.0f} s] {text}", file=sys.stderr, flush=True)


def _run(section: Section, settings: Settings, seconds: float, start: float) -> Outcome:
    context = processes(settings.device)
    receive, send = context.Pipe(duplex=False)
    began = time.monotonic()
    teller = Teller(send, began + seconds)
    process = context.Process(target=_child, args=(section.work, settings, teller))
    process.start()
    send.close()
    outcome = Outcome()
    try:
        while receive.poll(max(0.0, teller.left())):
            told = receive.recv()
            if isinstance(told, Outcome):
                outcome.status, outcome.error, outcome.where = told.status, told.error, told.where
                break
            name, row = told
            outcome.rows[name] = row
            say(start, f"  {name}: {brief(row)}")
        else:
            outcome.status, outcome.error = (
                "ended",
                f"it had not finished after the {seconds:.0f} s that it may take",
            )
    except EOFError:
        process.join(5)
        outcome.status, outcome.error = "failed", f"its process died with {_death(process.exitcode)}"
    finally:
        _end(process)
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _death(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"


def brief(row: Row) -> str:
    """Return a row as a short text."""
    parts = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()]
    return ", ".join(parts)


def _child(work: Callable[[Settings, Teller], None], settings: Settings, tell: Teller) -> None:
    """Run a section in its process, which leads the process group of all that the section starts."""
    end = Outcome()
    try:
        join_group(settings, 0)
        work(settings, tell)
    except Exception as error:  # noqa: BLE001  # whatever goes wrong in one section must not lose the others
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
        end = Outcome("failed", error=one_line(error), where=where)
        if not isinstance(error, RfmetaError):
            traceback.print_exc()
    tell.pipe.send(end)


def _end(process: Any) -> None:
    """End a section's process and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(10)
