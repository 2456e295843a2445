"""What a run reads and waits for, as counters that Ray hands to Prometheus on every node.

ray_rfmeta_stream_NAME_total{run, domain}   NAME as in core/totals.py: bytes_read, cache_hits, stalled, …
ray_rfmeta_train_NAME_total{run, worker}    steps, seconds, and data_seconds: waited for batches
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
    """Counters that follow totals which never fall."""

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
    """Shows the `StreamTotals` of one domain's stream."""

    def __init__(self, run: str, domain: str) -> None:
        names = {field.name: f"{field.name} of a domain's shards" for field in fields(StreamTotals)}
        super().__init__("stream", names, {"run": run, "domain": domain})

    def read(self, totals: StreamTotals) -> None:
        """Bring the counters up to the totals."""
        self.show(asdict(totals))


class StepMeter(_Totals):
    """Shows a worker's steps, the seconds they took, and the seconds of these in which it waited for data."""

    def __init__(self, run: str, worker: int) -> None:
        names = {"steps": "optimiser steps", "seconds": "of these steps", "data_seconds": "waited for batches"}
        super().__init__("train", names, {"run": run, "worker": str(worker)})
        self._now = dict.fromkeys(names, 0.0)

    def step(self, row: StepRow) -> None:
        """Count a step's row."""
        self._now["steps"] += 1
        for name in ("seconds", "data_seconds"):
            self._now[name] += row[name]
        self.show(self._now)
