"""Write starts.jsonl: a line with versions and hardware for each start of a run. A resume counts as a start.

A run may continue with other hardware or other versions; its result is then the same up to rounding. All starts
are recorded, because the last digits of the model depend on each of them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfmeta_dist
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

NAME = "starts.jsonl"
_COMPARED = ("code", "torch", "ray", "processor", "workers", "strategy", "zero", "deterministic")
_LATER = {"deterministic": False}  # facts that lines of earlier versions lack, with what was the case then


def facts(config: Config, versions: Mapping[str, str], device: str = "") -> dict[str, Any]:
    """Return the facts about this process that the last digits of a result depend on.

    Args:
        config: the run's.
        versions: versions of `torch` and `ray`, by these names.
        device: name of the worker's GPU; the processor's name is used if it is empty.
    """
    training = config.training
    return {
        "code": code(),
        "torch": versions["torch"],
        "ray": versions["ray"],
        "processor": device or processor(),
        "workers": training.workers,
        "strategy": training.strategy,
        "zero": training.zero if training.strategy == "deepspeed" else None,
        "deterministic": training.deterministic,
    }


def record(folder: Store, step: int, found: Mapping[str, Any], certificate: bytes) -> str:
    """Add a line about this start to starts.jsonl.

    Args:
        folder: the run's.
        step: step at which this start begins.
        found: facts of this start, from `facts`, and its `trace`.
        certificate: certificate of this start as JSON (verification/certificate.py).

    Returns:
        The differences from the previous start, such as "workers 2 → 1"; empty if there are none.

    Raises:
        StorageError: the file cannot be read or written.
    """
    before = _append(folder, {"step": step, **found, "certificate": json.loads(certificate)})
    return _differing(before, found)


def note(folder: Store) -> None:
    """Add a line about a start of something other than a run, such as a study: the time and the trace id.

    Raises:
        StorageError: the file cannot be read or written.
    """
    _append(folder, {"trace": trace_id()})


def traces(folder: Store) -> list[str]:
    """Return the trace ids of all starts, each once, in the order of the first of each.

    Starts that were recorded by versions without trace ids are left out, and damaged lines too.

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        return traces_in(folder.read(NAME))
    except MissingError:
        return []


def traces_in(data: bytes) -> list[str]:
    """Return the trace ids in the content of a starts.jsonl, each once, in the order of the first of each."""
    found: dict[str, None] = {}
    for line in data.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            found[str(json.loads(line)["trace"])] = None
    return list(found)


def _append(folder: Store, facts: Mapping[str, Any]) -> bytes:
    """Add a line, and return the content before."""
    try:
        before = folder.read(NAME)
    except MissingError:
        before = b""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    if before and not before.endswith(b"\n"):
        before += b"\n"  # the last line was cut off; begin the new line on its own
    folder.write(NAME, before + json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return before


def _differing(before: bytes, found: Mapping[str, Any]) -> str:
    lines = before.splitlines()
    try:
        last = {**_LATER, **json.loads(lines[-1])} if lines else found
        return ", ".join(f"{f} {last[f]} → {found[f]}" for f in _COMPARED if last[f] != found[f])
    except (ValueError, KeyError, TypeError):
        return "the line of the start before is damaged"


def processor() -> str:
    """Return the name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@functools.cache
def code() -> str:
    """Return the version of this package and a hash of its Python files, such as `0.1.0+1f2e3d4c5b6a`."""
    root, whole = Path(rfmeta_dist.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        whole.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return f"{rfmeta_dist.__version__}+{whole.hexdigest()[:12]}"
