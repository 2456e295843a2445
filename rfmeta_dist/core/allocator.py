"""Settings of glibc's allocator for two kinds of processes: those that train, and those that read."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # from malloc.h
_ARENAS = 2

# Environment variables that make glibc keep freed memory in a training process instead of returning it.
# Without them, glibc requests every block above 32 MB from the kernel and returns it when it is freed, and the
# kernel clears each page again. On a CPU that takes longer than the elementwise half of a training step
# (docs/speed.md). The variables must be set before the process starts. Other C libraries ignore them.
KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(1 << 28),
}


def share_arenas() -> None:
    """Make the threads that this process starts from now on share two of glibc's arenas.

    A thread otherwise gets an arena of its own, and memory that is freed there is of no use to other threads. A
    process that opens and closes many streams, each with its own threads, would need half as much memory again.
    With another C library, nothing is changed.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
