"""Count what trainings read, wait for and do, in metrics that Ray exports to Prometheus on every node.

Ray puts `ray_` before each name, and `_total` behind that of a counter. A training of a study has the label
`study` and no `run`, because a study of hundreds of trainings would otherwise make as many series of each
metric. So such a training has no gauges of its own either. Nothing here can end a training: if Ray fails to
take a value, the value is lost.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from ray.util.metrics import Counter, Gauge

from rfmeta_dist.core.periodic import periodically
from rfmeta_dist.core.totals import StreamTotals

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.core.types import StepRow

P = ParamSpec("P")
Self = TypeVar("Self")

# Each metric without its prefix, and what it says.
STREAM: Mapping[str, str] = MappingProxyType(
    {
        "bytes_read": "bytes of shards read from the store",
        "shards_read": "shards read from the store",
        "cache_hits": "shards found in the cache or in the process's memory instead",
        "cache_faults": "shards that could not be written into the cache, such as because the disk was full",
        "retries": "requests sent again, and shards read again because their hash was wrong",
        "samples": "samples decoded and delivered",
        "stalled": "seconds that the reader had no sample ready when one was needed",
    }
)
WORKER: Mapping[str, str] = MappingProxyType(
    {
        "steps": "training steps",
        "seconds": "seconds that these steps took",
        "data_seconds": "the part of these seconds in which the worker waited for data",
    }
)
FIRST: Mapping[str, str] = MappingProxyType(
    {
        "not_finite_steps": "steps at which the loss or gradient was not finite",
        "checkpoints": "checkpoints written",
        "checkpoint_seconds": "seconds that writing them took",
    }
)
GAUGES: Mapping[str, str] = MappingProxyType(
    {
        "active": "trainings that are at work now",
        "loss": "the loss of the last step, its parts and the norm of its gradient, by the label `part`",
        "step": "steps of the run that are done",
        "steps_planned": "steps that the run is to train",
        "workers": "workers that train the run together",
        "starts": "how often the run's workers were started, over all commands",
        "checkpoint_time_seconds": "when the last checkpoint was written, as a Unix time; 0 before the first",
    }
)
AGAIN_S = 5.0  # seconds between two times that gauges are set; Ray takes them every 10 seconds
NO_PARTS = ("step", "seconds", "data_seconds", "images_per_second")  # numbers of a step's row that are no loss


def _harmless(method: Callable[Concatenate[Self, P], None]) -> Callable[Concatenate[Self, P], None]:
    """Return a method that raises no error."""

    @functools.wraps(method)
    def call(self: Self, /, *given: P.args, **named: P.kwargs) -> None:
        with suppress(Exception):
            method(self, *given, **named)

    return call


class _Totals:
    """Counters that are raised to totals. Totals must not decrease."""

    def __init__(self, prefix: str, names: Mapping[str, str], tags: dict[str, str]) -> None:
        self._counters: dict[str, Counter] = {}
        self._before = dict.fromkeys(names, 0.0)
        self._open(prefix, names, tags)

    @_harmless
    def _open(self, prefix: str, names: Mapping[str, str], tags: dict[str, str]) -> None:
        for name, text in names.items():
            counter = Counter(f"rfmeta_{prefix}_{name}", description=text, tag_keys=tuple(tags))
            self._counters[name] = counter.set_default_tags(tags)
            # Prometheus sees no increase in a counter whose first value is 1, and `inc` refuses 0.
            counter._record(0.0)

    @_harmless
    def show(self, now: Mapping[str, float]) -> None:
        for name, counter in self._counters.items():
            more = now[name] - self._before[name]
            if more > 0:
                counter.inc(more)
                self._before[name] = now[name]


class StreamMeter(_Totals):
    """Exports the `StreamTotals` of one domain's stream.

    Args:
        run: name of the run; "" for a training of a study.
        study: name of the study; "" for a run.
        domain: name of the domain.
    """

    def __init__(self, run: str, study: str, domain: str) -> None:
        super().__init__("stream", STREAM, {"run": run, "study": study, "domain": domain})

    def read(self, totals: StreamTotals) -> None:
        """Raise the counters to the totals."""
        self.show(asdict(totals))


@dataclass(frozen=True)
class Begun:
    """How a training stands when its workers begin.

    Attributes:
        worker: number of this worker, from 0.
        workers: number of workers.
        step: steps that are done.
        starts: how often the workers were started, with this start; 0 on other workers than the first.
    """

    worker: int
    workers: int
    step: int
    starts: int = 0


class TrainMeter:
    """Exports what a training does, as one of its workers sees it.

    The first worker alone exports what is the same on all of them.

    Args:
        config: the training's.
        study: name of the study that it belongs to; "" for a run.
        begun: how it stands.
    """

    def __init__(self, config: Config, study: str, begun: Begun) -> None:
        run = "" if study else config.run.name
        tags = {"run": run, "study": study, "target": "" if study else config.data.target or ""}
        first = begun.worker == 0
        self._worker = _Totals("train", WORKER, {**tags, "worker": str(begun.worker)})
        self._first = _Totals("train", FIRST, tags) if first else None
        self._done, self._counted = dict.fromkeys(WORKER, 0.0), dict.fromkeys(FIRST, 0.0)
        self._gauges: dict[str, Gauge] = {}
        self._values: dict[tuple[str, str], float] = {}  # of the gauges, by name and part
        if first:
            self._open(tags, ["active"] if study else [*GAUGES])
            now = {"steps_planned": config.training.steps, "workers": begun.workers, "starts": begun.starts}
            self._set({"step": begun.step, "checkpoint_time_seconds": 0, **now})

    @_harmless
    def _open(self, tags: dict[str, str], names: list[str]) -> None:
        for name in names:
            keys = (*tags, "part") if name == "loss" else tuple(tags)
            self._gauges[name] = Gauge(f"rfmeta_train_{name}", description=GAUGES[name], tag_keys=keys)
            self._gauges[name].set_default_tags(tags)

    def _set(self, values: Mapping[str, float]) -> None:
        self._values |= {(name, ""): value for name, value in values.items()}
        self._show()

    @_harmless
    def _show(self) -> None:
        for (name, part), value in [*self._values.items()]:
            if name in self._gauges:
                self._gauges[name].set(value, {"part": part} if part else None)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Show that the training is at work while the context is open. The process may do another one then.

        Ray forgets a gauge that was not set for 20 seconds, so all gauges are set again and again, also while a
        step takes long.
        """
        self._set({"active": 1})
        try:
            with periodically(AGAIN_S, self._show):
                yield
        finally:
            self._set({"active": 0})

    def step(self, row: StepRow) -> None:
        """Count one step by its row."""
        self._done["steps"] += 1
        for name in ("seconds", "data_seconds"):
            self._done[name] += row[name]
        self._worker.show(self._done)
        for part, value in row.items():
            if isinstance(value, float) and part not in NO_PARTS:
                self._values["loss", part] = value
        self._values["step", ""] = row["step"] + 1

    def not_finite(self) -> None:
        """Count one step whose loss or gradient is not finite."""
        self._count({"not_finite_steps": 1})

    def checkpoint(self, seconds: float) -> None:
        """Count one checkpoint that took so long to write."""
        self._count({"checkpoints": 1, "checkpoint_seconds": seconds})
        self._set({"checkpoint_time_seconds": time.time()})

    def _count(self, more: Mapping[str, float]) -> None:
        for name, value in more.items():
            self._counted[name] += value
        if self._first:
            self._first.show(self._counted)
