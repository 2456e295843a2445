"""Choose size and place of a local cluster's object store, through which readers pass batches to workers.

Ray maps the store into shared memory, and takes a page of memory only when an object is written to it. If the
store is full, Ray writes objects to disk and reads them again, which is slow. If the store is larger than the
free shared memory, the system ends Ray when the memory runs out.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

import ray._common.utils

from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.shards.decode import DEPTH_STRIDE
from rfmeta_dist.episode.plan import IN_FLIGHT, images_of_step

SHARED = "/dev/shm"
LEAST = 1 << 30  # bytes; enough for any work without batches, and no memory is taken before it is used
RAY_LEAST = 75 << 20  # Ray refuses a smaller store
OF_MEMORY = 0.3  # largest share of the machine's memory, as Ray's default
OF_SHARED = 0.95  # share of the free shared memory that is used at most, because others may use it too
SPARE = 2.0  # times the batches in flight, because freed space is not always where the next batch fits


class Chosen(NamedTuple):
    """An object store to start.

    Attributes:
        size: its size in bytes.
        shared: True if it is in shared memory; False if it has to be in a file of the temporary folder.
        problem: a message for the user if training will be slower than it could be; empty otherwise.
    """

    size: int
    shared: bool
    problem: str


def in_flight(config: Config) -> int:
    """Return the bytes of batches that a run has in the object store at the same time."""
    side = config.data.image_size
    image = 3 * side**2 + (side // DEPTH_STRIDE) ** 2
    return IN_FLIGHT * images_of_step(config) * image


def machine() -> tuple[int, int]:
    """Return the bytes of memory of this machine or container, and of its shared memory that is free."""
    memory = int(ray._common.utils.get_system_memory())
    try:
        found = os.statvfs(SHARED)
    except OSError:
        return memory, 0  # macOS has no such folder, and some containers have none
    return memory, found.f_bavail * found.f_frsize


def chosen(batches: int, memory: int, shared: int) -> Chosen:
    """Return the object store for some batches on a machine.

    If shared memory is scarce, the store has less spare room. If the batches do not fit into shared memory, the
    store is in a file.

    Args:
        batches: bytes that are in the store at the same time, from `in_flight`; 0 if there are no batches.
        memory: bytes of the machine's memory.
        shared: bytes of its shared memory that are free.
    """
    most = int(OF_MEMORY * memory)
    size = max(RAY_LEAST, min(max(LEAST, int(SPARE * batches)), most))
    free = int(OF_SHARED * shared)
    if free >= min(size, max(batches, RAY_LEAST)):
        problem = _too_little_memory(batches, size) if batches > size else ""
        return Chosen(min(size, free), True, problem)
    linux = sys.platform == "linux"  # elsewhere a file is the only way
    return Chosen(size, False, _too_little_shared_memory(batches, shared) if batches and linux else "")


def _too_little_memory(batches: int, size: int) -> str:
    return (
        f"the batches that are on their way to the workers take {_gb(batches)}, but Ray may use only "
        f"{_gb(size)} of this machine's memory for them; it writes the rest to disk, which slows training. To "
        "avoid this, lower data.batch, training.episodes or episode.domains"
    )


def _too_little_shared_memory(batches: int, shared: int) -> str:
    wanted = -(-max(LEAST, int(SPARE * batches)) // 2**30)
    return (
        f"{SHARED} has {_gb(shared)} free, but the batches that are on their way to the workers need "
        f"{_gb(max(batches, RAY_LEAST))}; they go through a file in /tmp instead, which may slow training. To "
        f"avoid this, free space in {SHARED}, or start the container with more of it: docker run "
        f"--shm-size={wanted}g"
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
