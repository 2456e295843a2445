"""Pass tasks from the driver to lanes, and news of lanes to the driver, through one small actor.

The actor decides nothing: the driver does (dispatch.py), and lanes do what they are given (lanes.py). A lane
gets a new name each time that its workers are started, so that nothing is mixed up with an earlier start.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rfmeta_dist.cluster.tasks import Refused, Task
from rfmeta_dist.core.errors import RfmetaError

Given = Task | Refused


@dataclass(frozen=True)
class Event:
    """What happened in a lane.

    Attributes:
        kind: `free`: its workers wait for a task. `done`: its task has ended, with `error` if that is given.
            `lost`: its workers have failed, and its task is unfinished. `ended`: it starts no workers again.
            `left`: its trial is no longer there, whatever the reason.
        lane: name of the lane's start; for `left` the lane's number, with which the names of its starts begin.
        error: why a task or the workers failed.
        memory: True if they failed because they took more memory than there is.
        result: what the task returned, if it has ended without an error.
    """

    kind: Literal["free", "done", "lost", "ended", "left"]
    lane: str
    error: RfmetaError | None = None
    memory: bool = False
    result: Any = None


class Exchange:
    """Keeps what was given to each lane until its workers have taken it, and events until the driver reads."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], Given] = {}
        self._events: list[Event] = []
        self._had: set[str] = set()  # starts of lanes that have been given a task
        self._closed = False
        self._changed = asyncio.Condition()

    async def take(self, lane: str, number: int, first: bool) -> Given | None:
        """Wait for a lane's task and return it; None if there will be none.

        Args:
            lane: name of the lane's start.
            number: how many tasks it has had.
            first: True if the first of the lane's workers asks: only then is the lane free.
        """
        if first:
            await self.tell(Event("free", lane))
        async with self._changed:
            await self._changed.wait_for(lambda: self._closed or (lane, number) in self._given)
            self._given.pop((lane, number - 1), None)  # all workers have taken it, or they would not be free
            return None if self._closed else self._given[lane, number]

    async def give(self, lane: str, number: int, task: Given) -> None:
        """Give a lane a task: the one that its workers wait for."""
        async with self._changed:
            self._given[lane, number] = task
            self._had.add(lane)
            self._changed.notify_all()

    async def tell(self, event: Event) -> bool:
        """Add an event for the driver, and return True if the lane's start was ever given a task."""
        async with self._changed:
            if event.kind in ("lost", "ended"):
                self._given = {key: task for key, task in self._given.items() if key[0] != event.lane}
            self._events.append(event)
            self._changed.notify_all()
            return event.lane in self._had

    async def events(self) -> list[Event]:
        """Wait until something has happened, and return all events since the last call."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._events))
            events, self._events = self._events, []
            return events

    async def close(self) -> None:
        """Send all lanes home: every worker that asks from now on, or waits, gets no task."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def closed(self) -> bool:
        """Return True if there will be no more tasks."""
        return self._closed


# Every worker of every lane may wait in a call at the same time.
Queue = ray.remote(num_cpus=0, max_concurrency=10_000)(Exchange)


def start() -> Any:
    """Start the queue on this process's node, so that no other lost node can end it, and return its handle."""
    node = ray.get_runtime_context().get_node_id()
    return Queue.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
