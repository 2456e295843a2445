"""Assign work to workers, as pure functions of the number of workers, so that no worker has to ask another.

A step consumes one or more episodes. The workers form groups, and a group computes one episode at a time.
Within a group, each worker computes some of the episode's tasks and forwards some rows of its meta-test batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rfmeta_dist.config.methods import MetaTestMode


@dataclass(frozen=True)
class WorkerShare:
    """The part of one episode that one worker computes.

    Attributes:
        episode: index of the episode within the step, from 0.
        tasks: indices of the worker's tasks; empty if it only forwards rows of the meta-test batch.
        rows: the rows of the meta-test batch that the worker forwards.
        total: number of rows of the whole meta-test batch.
        shared: True if peers forward the other rows, so that statistics and features are exchanged.
        first: True for the first worker of the group, which records the statistics that the group shares.
    """

    episode: int
    tasks: tuple[int, ...]
    rows: range
    total: int
    shared: bool
    first: bool

    @property
    def idle(self) -> bool:
        """Return True if the worker has no task and no rows of a shared batch, so nothing to compute."""
        return not self.tasks and not self.shared


@dataclass(frozen=True)
class WorkSplit:
    """The facts that decide how work is assigned.

    Attributes:
        world: number of workers.
        episodes: number of episodes in a step.
        tasks: number of tasks in an episode.
        batch: number of images in a domain's batch.
        meta_test: with `shard` each worker of a group forwards some rows of the meta-test batch, with
            `replicate` each forwards the whole batch. The objective is the same.
        cost: number of batches that a task forwards besides the meta-test batch.
        tested: True if the method has a meta-test domain.
    """

    world: int
    episodes: int
    tasks: int
    batch: int
    meta_test: MetaTestMode = "shard"
    cost: int = 1
    tested: bool = True


def groups(work: WorkSplit) -> list[range]:
    """Return the ranks of each group. Groups have consecutive ranks and sizes that differ by at most one.

    There are as many groups as episodes, or as workers if there are fewer workers.
    """
    count = min(work.world, work.episodes)
    bounds = [work.world * g // count for g in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(bounds)]


def parts_of(rank: int, work: WorkSplit) -> tuple[WorkerShare, ...]:
    """Return the parts of worker `rank`, one for each episode of its group, in the order of the episodes."""
    teams = groups(work)
    g = next(g for g, team in enumerate(teams) if rank in team)
    place, size = rank - teams[g].start, len(teams[g])
    tasks = tuple(range(place, work.tasks, size))
    shared = work.meta_test == "shard" and work.tested and 1 < size <= work.batch
    rows = shares(work, size)[place] if shared else range(work.batch)
    return tuple(
        WorkerShare(e, tasks, rows, work.batch, shared, place == 0) for e in range(g, work.episodes, len(teams))
    )


def shares(work: WorkSplit, size: int) -> list[range]:
    """Split the rows of the meta-test batch over a group, so that tasks and rows together are balanced.

    Every worker gets at least one row, because each must take part in the exchange of batch-norm statistics.
    Each further row goes to the worker with the least work.

    Args:
        work: the facts that decide how work is assigned.
        size: number of workers in the group, at most the number of rows.
    """
    load = [len(range(place, work.tasks, size)) * work.cost * work.batch + 1 for place in range(size)]
    rows = [1] * size
    for _ in range(work.batch - size):
        least = load.index(min(load))
        load[least] += 1
        rows[least] += 1
    starts = [sum(rows[:place]) for place in range(size)]
    return [range(start, start + count) for start, count in zip(starts, rows, strict=True)]
