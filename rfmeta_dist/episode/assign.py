"""Who computes what: pure functions of the number of workers, so that every worker knows its part unasked.

A step consumes one or more episodes. The workers form groups, one an episode at a time; within a group, a
worker takes some of the episode's tasks and forwards some rows of its meta-test batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rfmeta_dist.config.methods import MetaTestMode


@dataclass(frozen=True)
class WorkerShare:
    """What one worker computes of one episode.

    Attributes:
        episode: which of the step's episodes, from 0.
        tasks: the tasks it takes; none if it only forwards rows of the meta-test batch.
        rows: the rows of the meta-test batch that it forwards.
        shared: whether other rows are forwarded by peers, so that statistics and features are exchanged.
        first: whether it is the first of its group, which answers for what the group computes together.
    """

    episode: int
    tasks: tuple[int, ...]
    rows: range
    shared: bool
    first: bool

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do: more workers than tasks, and no rows to take off them."""
        return not self.tasks and not self.shared


@dataclass(frozen=True)
class WorkSplit:
    """What the assignment follows from.

    Attributes:
        world: number of workers.
        episodes: episodes a step.
        tasks: tasks an episode.
        batch: images a domain.
        meta_test: `shard` splits the meta-test batch among a group, `replicate` has each of its workers forward
            all of it; the objective is the same.
        cost: how many batches of its own a task forwards.
        tested: whether the method has a meta-test domain at all.
    """

    world: int
    episodes: int
    tasks: int
    batch: int
    meta_test: MetaTestMode = "shard"
    cost: int = 1
    tested: bool = True


def groups(work: WorkSplit) -> list[range]:
    """The ranks of each group: consecutive, as even as can be, no more groups than episodes."""
    count = min(work.world, work.episodes)
    bounds = [work.world * g // count for g in range(count + 1)]
    return [range(start, stop) for start, stop in pairwise(bounds)]


def parts_of(rank: int, work: WorkSplit) -> tuple[WorkerShare, ...]:
    """The parts of worker `rank`, one for each episode of its group, in order."""
    teams = groups(work)
    g = next(g for g, team in enumerate(teams) if rank in team)
    place, size = rank - teams[g].start, len(teams[g])
    tasks = tuple(range(place, work.tasks, size))
    shared = work.meta_test == "shard" and work.tested and 1 < size <= work.batch
    rows = shares(work, size)[place] if shared else range(work.batch)
    return tuple(WorkerShare(e, tasks, rows, shared, place == 0) for e in range(g, work.episodes, len(teams)))


def shares(work: WorkSplit, size: int) -> list[range]:
    """Split the meta-test batch's rows over a group so that all work as evenly as can be, tasks included.

    Everyone gets a row at least, since batch norm asks each for its statistics; then each row goes to whoever
    has least to do.
    """
    load = [len(range(place, work.tasks, size)) * work.cost * work.batch + 1 for place in range(size)]
    rows = [1] * size
    for _ in range(work.batch - size):
        least = load.index(min(load))
        load[least] += 1
        rows[least] += 1
    starts = [sum(rows[:place]) for place in range(size)]
    return [range(start, start + count) for start, count in zip(starts, rows, strict=True)]
