"""News from the workers to whoever watches: one small actor that rows are pushed to and drained from.

News may be lost and nothing depends on them: a run ends well without its monitor. Errors travel with Ray Train.
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
EVERY_S = 0.25
ANSWER_S = 10.0
NOTICE = "notice"  # a row with this field holds a line for people, beside its label, and no step

_log = logging.getLogger(__name__)


class NewsDesk:
    """Collects rows until they are drained."""

    def __init__(self) -> None:
        self._rows: list[News] = []

    def push(self, rows: list[News]) -> None:
        """Add some rows."""
        self._rows.extend(rows)

    def drain(self) -> list[News]:
        """Take all rows."""
        rows, self._rows = self._rows, []
        return rows


# Ray starts one that died again; the rows that it held are lost.
Monitor = ray.remote(num_cpus=0, max_restarts=-1)(NewsDesk)


def start() -> Any:
    """Start a monitor on this process's own node, whose loss would end the process too; return its handle."""
    node = ray.get_runtime_context().get_node_id()
    return Monitor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()


def log_notice(text: str) -> None:
    """Log a line for people; without any set-up of logging, Python prints it on stderr."""
    _log.warning(text)


@contextmanager
def watched(
    monitor: Any, on_news: Callable[[News], None], on_notice: Callable[[str], None] = log_notice
) -> Iterator[None]:
    """Hand over what the monitor gets, from a thread of this process, while the context is open.

    Args:
        monitor: from `start`. If it cannot be reached there is no news meanwhile.
        on_news: called with every row.
        on_notice: called with every line for people.
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
