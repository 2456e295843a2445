"""Read the CPU time of a local training's processes, by kind."""

from __future__ import annotations

import os
from collections import Counter

import psutil

# Beginnings of titles and command lines, and what the process is called here.
KINDS = {
    "ray::DomainReaders": "readers",
    "ray::NewsDesk": "monitor",
    "raylet": "raylet",
    "gcs_server": "gcs",
}


def tree(driver: int) -> Counter[str]:
    """Return the CPU seconds of the driver and of all processes below it, by kind; the S3 server left out."""
    root = psutil.Process(driver)
    found = Counter({"driver": _seconds(root)})
    for process in root.children(recursive=True):
        try:
            found[_kind(process)] += _seconds(process)
        except psutil.NoSuchProcess:
            continue
    del found["S3 server"]
    return found


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _kind(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    if "RayTrainWorker" in line:
        return "workers"
    for start, kind in KINDS.items():
        if os.path.basename(line).startswith(start) or f"/{start} " in line or line.startswith(start):
            return kind
    return "S3 server" if "-s3" in line or "weed" in line else "other: " + line[:60]
