"""Runs of hand-made features under Ray: a killed one goes on, several share features, one fails alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.cluster import features
from rfmeta_dist.cluster.leave_one_out import leave_one_out
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import check, dump
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.recipes import fitted as kept_fit
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.features import FeatureRecipe
from rfmeta_dist.storage.store import open_store
from tests.cluster.conftest import wait_until_still

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.drill]


def fitted(configure: Any, name: str, folder: Path, method: str, **data: Any) -> Config:
    tree = configure(name).model_dump(mode="json")
    tree["run"]["folder"], tree["method"] = str(folder), {"name": method}
    tree["data"] |= data
    return check(tree, "test")


def classifier(folder: Path) -> bytes:
    return (folder / "model/classifier.safetensors").read_bytes()


def test_a_run_that_is_killed_between_domains_goes_on_to_the_same_detector(configure, tmp_path):
    whole = fitted(configure, "whole", tmp_path / "whole", "ms_lbp")
    train_run(whole, lambda _: None, local=True)
    config = fitted(configure, "part", tmp_path / "part", "ms_lbp")
    (tmp_path / "config.yaml").write_text(dump(config))
    program = "from rfmeta_dist.cli import main; main()"
    driver = subprocess.Popen(
        [sys.executable, "-c", program, "train", str(tmp_path / "config.yaml"), "--slots", "2"],
        start_new_session=True,
    )
    kept = tmp_path / "part/.features"
    while not list(kept.glob("*.safetensors")):
        assert driver.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.005)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    wait_until_still(tmp_path / "part")
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert 1 <= len(before) < 3
    assert not (tmp_path / "part/part/model").exists()

    said: list[str] = []
    train_run(config, lambda _: None, on_notice=said.append, local=True)
    computed = [text for text in said if "are computed" in text]
    assert len(computed) == 3 - len(before)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert classifier(tmp_path / "part/part") == classifier(tmp_path / "whole/whole")

    # In one process, without Ray, it is the same.
    from rfmeta_dist.data.reading.sources import Sources

    alone = FeatureRecipe().fit(Sources.of(whole), Context.of(whole))
    alone.save(open_store(str(tmp_path / "alone")))
    assert (tmp_path / "alone/classifier.safetensors").read_bytes() == classifier(tmp_path / "whole/whole")


def test_runs_share_features_and_one_that_fails_costs_no_other(configure, tmp_path):
    base = fitted(configure, "loo", tmp_path, "color_texture")
    tree = base.model_dump(mode="json")
    tree["method"]["lbp_only"] = True
    runs = targets_of(check(tree, "test"), [], [0, 1], ["M", "O"]).runs
    runs.append(fitted(configure, "no-domain", tmp_path, "ms_lbp", sources=["O", "C", "X"]))
    news: list[dict[str, Any]] = []
    said: list[str] = []
    found = leave_one_out(runs, news.append, on_notice=said.append, local=True)
    *done, failed = found
    assert isinstance(failed.error, DataError)
    assert [outcome.error for outcome in done] == [None] * 4
    assert (
        len([text for text in said if "are computed" in text]) == 4
    )  # each domain once, for all targets and seeds
    assert len(list((tmp_path / ".features").iterdir())) == 4
    states = [row["state"] for row in news if row["label"] == runs[0].run.name]
    assert states == ["judging", "done"]
    for outcome in done:
        folder = Path(outcome.config.run.folder) / outcome.config.run.name
        reads = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
        assert [r["domain"] for r in reads if r["sealed"]] == [outcome.config.data.target]
        assert outcome.evaluation["method"] == "color_texture"
    again = leave_one_out(runs[:1], news.append, local=True)  # it has a model, and is only judged again
    assert again[0].evaluation["figures"] == done[0].evaluation["figures"]


def test_the_time_for_which_a_run_waits_for_the_features_of_others_is_not_its_own(configure, tmp_path):
    config = fitted(configure, "timed", tmp_path, "ms_lbp")
    folder = prepare(config).folder
    began, held = time.monotonic(), 15.0
    features.GATHERING.acquire()
    threading.Timer(held, features.GATHERING.release).start()
    features.fit(config, folder, lambda _: None)
    whole = time.monotonic() - began
    assert whole > held
    assert kept_fit.read(folder)[1]["classifier"]["seconds"] <= whole - held + 0.1
