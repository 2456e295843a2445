"""News from the workers to whoever watches: one small actor that rows are pushed to and drained from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray

from rfmeta_dist.core.errors import RfmetaError

News = dict[str, Any]
EVERY_S = 0.25


class NewsDesk:
    """Collects rows until they are drained, and remembers the first error that no retry will mend."""

    def __init__(self) -> None:
        self._rows: list[News] = []
        self._fatal: RfmetaError | None = None

    def push(self, rows: list[News]) -> None:
        """Add some rows."""
        self._rows.extend(rows)

    def drain(self) -> list[News]:
        """Take all rows."""
        rows, self._rows = self._rows, []
        return rows

    def fail(self, error: RfmetaError) -> None:
        """Note an error that ends the run; the first counts."""
        self._fatal = self._fatal or error

    def fatal(self) -> RfmetaError | None:
        """The noted error, if any."""
        return self._fatal


Monitor = ray.remote(num_cpus=0)(NewsDesk)


@contextmanager
def watched(monitor: Any, on_news: Callable[[News], None]) -> Iterator[None]:
    """Hand every row to `on_news`, from a thread of this process, while the context is open."""
    stop = threading.Event()

    def drain() -> None:
        for row in ray.get(monitor.drain.remote()):
            on_news(row)

    def watch() -> None:
        while not stop.wait(EVERY_S):
            drain()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        drain()
