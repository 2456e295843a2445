"""Find out what this machine has: processors, memory, disks and GPUs, as far as this process may use them."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from rfmeta_dist.core.installed import imported

CGROUP = Path("/sys/fs/cgroup")  # holds the limits of this container, in the files of version 2 or of version 1
DRIVER = Path("/proc/driver/nvidia/version")
SHARED_MEMORY = Path("/dev/shm")


def describe() -> dict[str, Any]:
    """Return the facts about this machine, apart from its GPUs, as values for JSON; sizes are in bytes."""
    from rfmeta_dist.data.reading.cache import default_folder
    from rfmeta_dist.runs.starts import processor

    total, available = memory()
    places = {
        "current folder": Path.cwd(),
        "temporary files": Path(tempfile.gettempdir()),
        "shard cache": default_folder(),
        "shared memory": SHARED_MEMORY,
    }
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "interpreter": sys.executable,
        "processor": processor(),
        "cores": cores(),
        "memory": total,
        "memory_available": available,
        "free_disk": {what: {"path": str(path), "free": free(path)} for what, path in places.items()},
    }


def cores() -> int:
    """Return how many CPUs this process may use, given its affinity and the quota of its container."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _limit("cpu.max") or f"{_limit('cpu/cpu.cfs_quota_us')} {_limit('cpu/cpu.cfs_period_us')}"
    quota, _, period = limit.partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        usable = min(usable, max(1, int(quota) // int(period)))
    return usable


def memory() -> tuple[int, int | None]:
    """Return the bytes of memory that there are and that are available; None where the system does not say."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    available = None
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    limit = _limit("memory.max") or _limit("memory/memory.limit_in_bytes")
    used = _limit("memory.current") or _limit("memory/memory.usage_in_bytes")
    if limit.isdigit() and int(limit) < total:
        total = int(limit)
        if available is not None and used.isdigit():
            available = min(available, max(0, total - int(used)))
    return total, available


def free(path: Path) -> int | None:
    """Return the free bytes of the disk on which a file at this path would lie; None if it cannot be asked."""
    there = next((place for place in (path, *path.parents) if place.exists()), path)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None


def gpus() -> dict[str, Any]:
    """Return the GPUs that torch can use; torch is imported, which takes seconds.

    Returns:
        `torch`: its version, None if it is not installed; `driver`: True if the NVIDIA driver is loaded;
        `devices`: name and bytes of memory of each GPU.

    Raises:
        InstallationError: torch is installed and cannot be imported.
    """
    found: dict[str, Any] = {"torch": None, "driver": DRIVER.exists(), "devices": []}
    torch = imported("torch", "train")
    if torch is None:
        return found
    found["torch"] = torch.__version__
    if torch.cuda.is_available():
        every = (torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count()))
        found["devices"] = [{"name": one.name, "memory": one.total_memory} for one in every]
    return found


def _limit(name: str) -> str:
    """Return the content of a file of this container's control group; empty if there is no such file."""
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
