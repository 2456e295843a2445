"""What workers export: which series there are, and that no error of Ray's metrics ends a training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from ray.util import metrics

from rfmeta_dist.cluster import meters
from rfmeta_dist.cluster.meters import Begun, StreamMeter, TrainMeter
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.totals import StreamTotals
from tests.tuning.studies import base

ROW = {"step": 6, "loss": 1.5, "cls": 0.5, "meta_test": "O", "seconds": 2.0, "data_seconds": 0.5}
ROW |= {"images_per_second": 9.0}
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Series:
    """What was handed to Ray: the sum of a counter's values, and the last one of a gauge."""
    found: Series = {}

    def record(self: metrics.Metric, value: float, tags: dict[str, str] | None = None) -> None:
        given = {k: v for k, v in self._get_final_tags(tags).items() if v}  # Prometheus drops empty labels
        self._validate_tags(self._get_final_tags(tags))
        key = self._name, tuple(sorted(given.items()))
        found[key] = value + (found.get(key, 0.0) if isinstance(self, metrics.Counter) else 0.0)

    monkeypatch.setattr(metrics.Metric, "_record", record)
    return found


def training(name: str = "base", **changes: Any) -> Config:
    return check({**base(), "run": {"name": name, "folder": "runs"}, **changes}, "test")


def short(found: Series) -> Iterator[str]:
    for (name, labels), value in sorted(found.items()):
        yield f"{name.removeprefix('rfmeta_train_')} {' '.join(v for _, v in labels)} {value:g}"


def test_the_first_worker_of_a_run_exports_counters_and_gauges(exported: Series):
    meter = TrainMeter(training(), "", Begun(0, 2, 5, 3))
    assert "steps base M 0 0" in [*short(exported)]  # the counter is there before the first step
    meter.step(ROW)
    meter.checkpoint(0.25)
    meter.not_finite()
    with meter.at_work():
        assert "active base M 1" in [*short(exported)]
    assert exported.pop(("rfmeta_train_checkpoint_time_seconds", (("run", "base"), ("target", "M")))) > 1e9
    assert [*short(exported)] == [
        "active base M 0",
        "checkpoint_seconds base M 0.25",
        "checkpoints base M 1",
        "data_seconds base M 0 0.5",
        "loss cls base M 0.5",
        "loss loss base M 1.5",
        "not_finite_steps base M 1",
        "seconds base M 0 2",
        "starts base M 3",
        "step base M 7",
        "steps base M 0 1",
        "steps_planned base M 2",
        "workers base M 2",
    ]


def test_another_worker_exports_only_its_own_counters(exported: Series):
    meter = TrainMeter(training(), "", Begun(1, 2, 5))
    meter.step(ROW)
    meter.checkpoint(0.25)
    meter.not_finite()
    assert [*short(exported)] == ["data_seconds base M 1 0.5", "seconds base M 1 2", "steps base M 1 1"]


def test_five_hundred_trainings_of_a_study_export_the_series_of_one(exported: Series):
    for number in range(500):
        meter = TrainMeter(training(f"training-{number}"), "search", Begun(0, 1, 0))
        with meter.at_work():
            meter.step(ROW)
        StreamMeter("", "search", "O").read(StreamTotals(samples=4))
    assert len(exported) == len(meters.WORKER) + len(meters.FIRST) + 1 + len(meters.STREAM)
    assert exported["rfmeta_train_steps", (("study", "search"), ("worker", "0"))] == 500
    assert exported["rfmeta_stream_samples", (("domain", "O"), ("study", "search"))] == 2000
    assert exported["rfmeta_train_active", (("study", "search"),)] == 0


def test_gauges_are_set_again_while_a_step_takes_long(exported: Series, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(meters, "AGAIN_S", 0.02)
    meter = TrainMeter(training(), "", Begun(0, 1, 0))
    gauges = {("rfmeta_train_" + name, (("run", "base"), ("target", "M"))) for name in meters.GAUGES} - {
        ("rfmeta_train_loss", (("run", "base"), ("target", "M")))
    }
    with meter.at_work():
        exported.clear()  # as Ray forgets a gauge
        deadline = time.monotonic() + 10
        while not gauges <= exported.keys():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    exported.clear()
    time.sleep(0.1)
    assert exported == {}  # an ended training is forgotten


def test_a_run_without_a_target_has_no_target_label(exported: Series):
    data = {k: v for k, v in base()["data"].items() if k != "target"}
    TrainMeter(training(data=data), "", Begun(0, 1, 0))
    assert {label for _, labels in exported for label, _ in labels} == {"run", "worker"}


@pytest.mark.parametrize("broken", ["__init__", "_record"])
def test_no_error_of_ray_ends_a_training(monkeypatch: pytest.MonkeyPatch, broken: str):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the metrics agent is gone")

    monkeypatch.setattr(metrics.Metric, broken, fail)
    meter = TrainMeter(training(), "", Begun(0, 1, 0))
    meter.step(ROW)
    meter.checkpoint(0.25)
    meter.not_finite()
    with meter.at_work():
        pass
    StreamMeter("base", "", "O").read(StreamTotals(samples=4))


def test_every_total_of_a_stream_is_a_metric():
    assert set(meters.STREAM) == set(asdict(StreamTotals()))
