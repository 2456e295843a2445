"""Task → worker."""

from __future__ import annotations


def tasks_of(rank: int, world: int, tasks: int) -> tuple[int, ...]:
    """The tasks that worker `rank` of `world` computes: rank, rank + world, … below `tasks`."""
    return tuple(range(rank, tasks, world))
