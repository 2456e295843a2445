"""Convert errors from Ray's processes: an `RfmetaError` keeps its class, any other error is explained in words.

Ray wraps what a task, an actor, a worker of Ray Train, a trial of Ray Tune or a stage of Ray Data raises, often
more than once, and each part of Ray in its own way. Inside workers use `got`, which does not convert Ray's own
errors, so that Ray can restart what died. Use `ours` or `explained` where an error goes to the user.
"""

from __future__ import annotations

import errno
import importlib
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    ObjectStoreFullError,
    OutOfDiskError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RpcError,
    WorkerCrashedError,
)

from rfmeta_dist.core.errors import ClusterError, RfmetaError, StorageError

AGAIN = "give the same command again: what was finished is kept"
CAUSED = "The above exception was the direct cause of the following exception"
LONGEST = 400  # characters of another library's message that are shown
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

# Names instead of classes: importing Ray Train and Ray Data takes seconds, and readers import this module.
WRAPPINGS = {
    "RayTaskError",
    "SystemException",
    "TrainingFailedError",
    "TuneError",
    "UserCodeException",
    "UserExceptionWithTraceback",
}

MEMORY = (
    "a process was ended because its machine ran out of memory",
    "set data.batch or training.workers lower, or use machines with more memory, then " + AGAIN,
)
MACHINE = (
    "a machine of the cluster was lost while it worked for this command",
    "see that the machine is up or that another can take its place, then " + AGAIN,
)
PROCESS = (
    "a process of the cluster ended unexpectedly; most often its machine ran out of memory",
    "free memory, or set data.batch or training.workers lower, then " + AGAIN,
)
CONNECTION = (
    "the connection to the Ray cluster, or data that it held, was lost",
    "see that the cluster is up, then " + AGAIN,
)

# Problem and remedy by the class of Ray's error and a pattern in its text. The first row that fits is used.
DEATHS: tuple[tuple[type[Exception], str, tuple[str, str]], ...] = (
    (OutOfMemoryError, "", MEMORY),
    (RayActorError, "low on memory", MEMORY),
    (NodeDiedError, "", MACHINE),
    (RayActorError, "node has died|node it was running on", MACHINE),
    (RayActorError, "", PROCESS),
    (WorkerCrashedError, "", PROCESS),
    (ObjectStoreFullError, "", ("Ray's object store is full", "set data.batch lower, then " + AGAIN)),
    (OutOfDiskError, "", ("a machine's disk is full", "free some disk space, then " + AGAIN)),
    (LocalRayletDiedError, "", CONNECTION),
    (RpcError, "", CONNECTION),
    (ObjectLostError, "", CONNECTION),
)


def got(reference: Any) -> Any:
    """Wait for a result and return it, as `ray.get` does.

    Raises:
        RfmetaError: the task raised this error.
        RayError: anything else failed; the error is as Ray raises it.
    """
    try:
        return ray.get(reference)
    except RayError as error:
        mine = own(error)
        if mine is None:
            raise
        raise mine from None


@contextmanager
def explained(what: str = "") -> Iterator[None]:
    """Convert every error that the body raises with `ours`. Use it around calls into Ray only.

    Args:
        what: what failed, such as "ingest failed"; begins the message about a library's error.
    """
    try:
        yield
    except RfmetaError as error:
        if isinstance(error, RayError):  # Ray makes a class that is both our error and its own wrapper
            raise ours(error) from None
        raise
    except Exception as error:
        raise ours(error, what) from error


def ours(error: BaseException, what: str = "") -> RfmetaError:
    """Return the error to show to the user for anything that came out of Ray.

    If the error is or wraps an RfmetaError, that is returned. Otherwise the innermost error becomes one line: a
    StorageError if a disk is full or read-only or a file cannot be used, and a ClusterError in all other cases.

    Args:
        error: what was caught.
        what: what failed, such as "training of runs/a failed"; begins the message about a library's error.
    """
    mine = own(error)
    if mine is not None:
        return mine
    lead = f"{what}: " if what else ""
    inner = _innermost(error)
    if isinstance(inner, OSError) and (inner.filename or inner.errno in DISK):
        return StorageError(
            f"{lead}{_line(inner)}", "check the path and the space on its disk, on every machine, then " + AGAIN
        )
    death = _death(inner)
    if death:
        return ClusterError(lead + death[0], death[1])
    return ClusterError(
        f"{lead}{_named(inner)}", AGAIN + "; if it fails the same way, report this line as a bug"
    )


def led(error: RfmetaError, lead: str) -> RfmetaError:
    """Return an error of the same class, whose problem begins with `lead` and a colon."""
    return _made(type(error), f"{lead}: {error.problem}", error.remedy)


def out_of_memory(error: BaseException) -> bool:
    """Return True if an error, or one that it carries, says that memory was not enough, of a GPU or a machine.

    Ray and PyTorch each have a class `OutOfMemoryError`. PyTorch on a CPU, and actors that Ray has ended to
    free memory, say it only in words.
    """
    return any(
        isinstance(one, MemoryError)
        or type(one).__name__ == "OutOfMemoryError"
        or re.search(r"low on memory|CUDA out of memory|can't allocate memory", str(one)) is not None
        for one in _carried(error)
    )


def own(error: BaseException) -> RfmetaError | None:
    """Return the first RfmetaError among an error and all that it carries as objects or text; None if none."""
    everything = list(_carried(error))
    for one in everything:
        if isinstance(one, RfmetaError) and not isinstance(one, RayError):
            return one
    return next(filter(None, map(_from_text, everything)), None)


def _innermost(error: BaseException) -> BaseException:
    """Return the original cause: the last carried error that is not one of Ray's wrappers."""
    return [error, *(one for one in _carried(error) if not _wraps(one))][-1]


def _wraps(error: BaseException) -> bool:
    return not WRAPPINGS.isdisjoint(kind.__name__ for kind in type(error).__mro__)


def _carried(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes and the errors among its attributes, level by level.

    Ray's classes name what they wrap differently (`cause`, `worker_failures`, `controller_failure`, …), so
    attributes are searched by value.
    """
    waiting, seen = deque([error]), set[int]()
    while waiting:
        one = waiting.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        for value in (*vars(one).values(), getattr(one, "exceptions", ()), one.__cause__):
            values = value.values() if isinstance(value, dict) else value
            for inner in values if isinstance(value, dict | list | tuple) else (value,):
                if isinstance(inner, BaseException):
                    waiting.append(inner)


def _from_text(error: BaseException) -> RfmetaError | None:
    """Return the RfmetaError at the end of a traceback in the text of Ray's error, or of that error's cause.

    Ray keeps only the text of an error in an actor's constructor, of one that cannot be pickled, and of causes.
    """
    if not isinstance(error, RayError):
        return None
    for part in str(error).split(CAUSED):
        found = re.fullmatch(r"(rfmeta_dist\.[\w.]+)\.(\w+): (.*)", _last(part))
        kind = _class(found[1], found[2]) if found else None
        if found and isinstance(kind, type) and issubclass(kind, RfmetaError):
            problem, _, remedy = found[3].partition("; ")
            return _made(kind, problem, remedy)
    return None


def _made(kind: type[RfmetaError], problem: str, remedy: str) -> RfmetaError:
    """Create an error without calling the constructor of its class, which may take other arguments."""
    made = kind.__new__(kind)
    RfmetaError.__init__(made, problem, remedy)
    return made


def _class(module: str, name: str) -> Any:
    """Return the class of this name, or None if this version has none: a worker may run another version."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _death(error: BaseException) -> tuple[str, str] | None:
    if getattr(error, "actor_init_failed", False):
        return None  # the actor did not die: its constructor raised an error, which is in the text
    for kind, pattern, (problem, remedy) in DEATHS:
        if isinstance(error, kind) and re.search(pattern, str(error)):
            return problem + _place(error), remedy
    return None


def _place(error: BaseException) -> str:
    """Return the machine's address in the error's text, as ` (at 10.0.0.1)`; empty if there is none."""
    found = re.search(r"(?:\bip(?:=|: )|IP: ?|ip address:? ?)(\d+\.\d+\.\d+\.\d+)", str(error))
    return f" (at {found[1]})" if found else ""


def _named(error: BaseException) -> str:
    line = _line(error)
    name = type(error).__name__
    return line if isinstance(error, RayError) or line.startswith(name) else f"{name}: {line}"


def _line(error: BaseException) -> str:
    """Return an error's message in one line: its first line, or the last line if it holds a traceback."""
    text = str(error).strip() or type(error).__name__
    line = _last(text) if "Traceback" in text or isinstance(error, RayError) else text.splitlines()[0]
    return line if len(line) <= LONGEST else line[:LONGEST] + " …"


def _last(text: str) -> str:
    return [line.strip() for line in text.splitlines() if line.strip()][-1] if text.strip() else ""
