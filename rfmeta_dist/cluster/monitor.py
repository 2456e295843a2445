"""Send rows of figures and messages from the workers to the driver, through one small actor.

Rows may be lost, and no result depends on them: a run finishes even if this actor dies. Errors go through Ray
Train instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rfmeta_dist.core.periodic import periodically

News = dict[str, Any]
EVERY_S = 0.5  # seconds between looks for rows; each takes driver and monitor some milliseconds of CPU time
ANSWER_S = 10.0
# Values of `state` in a row about a whole training. One that is paused may be trained further later.
JUDGING, PAUSED, DONE, FAILED = "judging", "paused", "done", "failed"
NOTICE = "notice"  # a row with this field carries a message for the user instead of the figures of a step

_log = logging.getLogger(__name__)


class NewsDesk:
    """Collects the rows that workers push, until the driver drains them."""

    def __init__(self) -> None:
        self._rows: list[News] = []

    def push(self, rows: list[News]) -> None:
        """Append rows."""
        self._rows.extend(rows)

    def drain(self) -> list[News]:
        """Return all rows and forget them."""
        rows, self._rows = self._rows, []
        return rows


# Ray restarts a monitor that died; the rows that it held are lost.
Monitor = ray.remote(num_cpus=0, max_restarts=-1)(NewsDesk)


def start() -> Any:
    """Start a monitor on this process's node, so that no other lost node can end it, and return its handle."""
    node = ray.get_runtime_context().get_node_id()
    return Monitor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()


def log_notice(text: str) -> None:
    """Log a message for the user as a warning, which Python prints on stderr if logging is not configured."""
    _log.warning(text)


@contextmanager
def watched(
    monitor: Any, on_news: Callable[[News], None], on_notice: Callable[[str], None] = log_notice
) -> Iterator[None]:
    """Pass on the rows of a monitor, from a thread of this process, while the context is open.

    Args:
        monitor: handle from `start`. While it cannot be reached, no rows are passed on.
        on_news: called with the row of each step, and with each change of a run's `state`.
        on_notice: called with each message for the user.
    """

    def drain() -> None:
        with suppress(ray.exceptions.RayError):
            for row in ray.get(monitor.drain.remote(), timeout=ANSWER_S):
                if NOTICE in row:
                    on_notice(f"{row['label']}: {row[NOTICE]}")
                else:
                    on_news(row)

    try:
        with periodically(EVERY_S, drain):
            yield
    finally:
        drain()
