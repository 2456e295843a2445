"""Count what a run reads and waits for, in counters that Ray exports to Prometheus on every node.

ray_rfmeta_stream_NAME_total{run, domain}   NAME is a field of core/totals.py: bytes_read, cache_hits, …
ray_rfmeta_train_NAME_total{run, worker}    steps, seconds, and data_seconds (spent waiting for batches)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from ray.util.metrics import Counter

from rfmeta_dist.core.totals import StreamTotals

if TYPE_CHECKING:
    from rfmeta_dist.core.types import StepRow


class _Totals:
    """Counters that are raised to totals. Totals must not decrease."""

    def __init__(self, prefix: str, names: Mapping[str, str], tags: dict[str, str]) -> None:
        self._counters = {
            name: Counter(f"rfmeta_{prefix}_{name}", description=text, tag_keys=tuple(tags))
            for name, text in names.items()
        }
        for counter in self._counters.values():
            counter.set_default_tags(tags)
        self._before = dict.fromkeys(names, 0.0)

    def show(self, now: Mapping[str, float]) -> None:
        for name, counter in self._counters.items():
            more = now[name] - self._before[name]
            if more > 0:
                counter.inc(more)
                self._before[name] = now[name]


class StreamMeter(_Totals):
    """Exports the `StreamTotals` of one domain's stream."""

    def __init__(self, run: str, domain: str) -> None:
        names = {field.name: f"{field.name} of a domain's stream" for field in fields(StreamTotals)}
        super().__init__("stream", names, {"run": run, "domain": domain})

    def read(self, totals: StreamTotals) -> None:
        """Raise the counters to the totals."""
        self.show(asdict(totals))


class StepMeter(_Totals):
    """Exports a worker's steps, the seconds that they took, and the part of them spent waiting for data."""

    def __init__(self, run: str, worker: int) -> None:
        names = {
            "steps": "optimiser steps",
            "seconds": "seconds that the steps took",
            "data_seconds": "seconds that the steps waited for batches",
        }
        super().__init__("train", names, {"run": run, "worker": str(worker)})
        self._now = dict.fromkeys(names, 0.0)

    def step(self, row: StepRow) -> None:
        """Add the row of one step to the counters."""
        self._now["steps"] += 1
        for name in ("seconds", "data_seconds"):
            self._now[name] += row[name]
        self.show(self._now)
