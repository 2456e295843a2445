"""A real Prometheus watches a real training, study and retraining: all panels have data, and alerts fire."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.monitoring.promtool import NEEDS_PROMTOOL, expressions
from tests.monitoring.test_retraining_figures import Shop
from tests.monitoring.watched import RFMETA, Watched, config, until, watched, write
from tests.stored import BEFORE

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1500), NEEDS_PROMTOOL]
_log = logging.getLogger(__name__)


def prepared(place: Path, world: Watched) -> None:
    """Let a finished run, a study that is over and a retraining that has looked stand in the store."""
    shutil.copytree(BEFORE / "runs/finished", place / "done/finished")
    (place / "shop").mkdir()
    shop = Shop(place / "shop")
    world.rfmeta("retrain", str(shop.file))
    study = {
        "name": "search",
        "folder": str(place / "studies"),
        "base": config(place, steps=4),
        "targets": ["M"],
        "space": {"training.learning_rate": {"choice": [1e-3, 1e-2]}},
        "search": {"candidates": 2},
    }
    world.rfmeta("tune", write(place / "study.yaml", study))


def test_a_healthy_run_fills_all_panels_and_each_planted_cause_fires_its_alert(tmp_path: Path):
    place = tmp_path
    with watched(place) as world:
        world.ray()
        world.exporter(str(place), str(place / "runs/live"))
        world.prometheus()
        prepared(place, world)
        file = write(
            place / "run.yaml", config(place, steps=100_000, checkpoint_every=25, workers=2, strategy="ddp")
        )
        world.begin("train", *RFMETA, "train", file)

        live = 'ray_rfmeta_train_step{run="live"} > 60'
        until(lambda: world.ask(live) and world.ask('rfmeta_run_steps{run="live"} > 0'))
        until(lambda: all(world.ask(query) for _, query in expressions()))
        selected = {query: len(world.ask(query)) for _, query in expressions()}
        series = world.ask('count({__name__=~".*rfmeta_.*"})')[0]["value"][1]
        assert [query for query, count in selected.items() if not count] == []
        until(lambda: world.firing() == {})  # on this scale the start of the training may have been a stall
        for _ in range(20):
            assert world.firing() == {}
            time.sleep(2)
        _log.info("%d expressions select %d of %s series", len(selected), sum(selected.values()), series)

        # A study of several trainings makes the series of one.
        assert len(world.ask('count by (study) (ray_rfmeta_train_steps_total{study="search"})')) == 1
        assert world.ask('ray_rfmeta_train_steps_total{run!="live", run!=""}') == []
        # Ray's metrics ask for no token.
        assert b"ray_rfmeta_" in urlopen(f"http://127.0.0.1:{world.ports['metrics']}/metrics").read()

        for process in world.readers():
            os.kill(process, signal.SIGSTOP)
        until(lambda: world.firing().get("TrainingStalled", {}).get("run") == "live")
        for process in world.readers():
            os.kill(process, signal.SIGCONT)
        until(lambda: world.firing().get("DataStarved", {}).get("run") == "live")
        until(lambda: world.firing() == {})

        world.end("train", signal.SIGKILL)
        until(lambda: world.firing().get("RunStopped", {}).get("run") == "live")
        config_file = place / "runs/live/config.yaml"
        whole = config_file.read_bytes()
        config_file.write_text("run: [")
        until(lambda: "StoreDown" in world.firing())
        config_file.write_bytes(whole)
        until(lambda: "StoreDown" not in world.firing())
        world.end("exporter")
        until(lambda: "ExporterDown" in world.firing())
        world.end("ray")
        until(lambda: "RayDown" in world.firing())
    assert "Traceback" not in world.log("exporter")
