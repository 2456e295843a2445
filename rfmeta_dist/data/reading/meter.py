"""Count what the reading of a domain does and waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rfmeta_dist.core.totals import StreamTotals


class Meter:
    """Adds up `StreamTotals` from the several threads of one stream."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = StreamTotals()

    def add(self, **amounts: float) -> None:
        """Raise some of the totals."""
        more = StreamTotals(**amounts)  # type: ignore[arg-type]  # counts are given as integers
        with self._lock:
            self._now += more

    def read(self) -> StreamTotals:
        """The totals now."""
        return self._now

    @contextmanager
    def stall(self) -> Iterator[None]:
        """Count the time spent inside as waiting."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stalled=time.perf_counter() - started)
