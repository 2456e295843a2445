"""Count what a domain's stream reads, decodes and waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rfmeta_dist.core.totals import StreamTotals


class Meter:
    """A thread-safe counter of `StreamTotals` for one stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = StreamTotals()

    def add(self, **amounts: float) -> None:
        """Add amounts to the totals; the names are fields of `StreamTotals`."""
        more = StreamTotals(**amounts)  # type: ignore[arg-type]  # counts are given as integers
        with self._lock:
            self._now += more

    def read(self) -> StreamTotals:
        """Return the present totals."""
        return self._now

    @contextmanager
    def stall(self) -> Iterator[None]:
        """Count the time spent in this context as time that the consumer waited."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stalled=time.perf_counter() - started)
