"""What a run survives: damaged checkpoints, lost bookkeeping, a dead monitor, workers that die repeatedly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group

from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError, RunError
from rfmeta_dist.detectors import package
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from tests.cluster.conftest import STEPS, descendants

pytestmark = pytest.mark.usefixtures("cluster")

Row = dict[str, Any]


def ignore(_: object) -> None:
    pass


def weights(folder: Store) -> bytes:
    return folder.read(f"step-{STEPS:07d}/model.safetensors")


@pytest.fixture
def interrupted(configure: Any, undisturbed: Any, tmp_path: Path) -> tuple[Config, Path]:
    """The undisturbed run, elsewhere, as if it had ended before its model was made."""
    run = shutil.copytree(undisturbed[0].url, tmp_path / "undisturbed")
    shutil.rmtree(run / "model")
    config = configure("undisturbed")
    return config.model_copy(update={"run": config.run.model_copy(update={"folder": str(tmp_path)})}), run


def test_a_damaged_checkpoint_and_lost_bookkeeping_of_rays_cost_four_steps_and_no_bit(
    interrupted, undisturbed, monkeypatch
):
    config, run = interrupted
    monkeypatch.setenv("RFMETA_TRACE", "another-job")
    (run / "checkpoint_manager_snapshot.json").write_bytes(
        b""
    )  # as a version that let Ray keep them could leave it
    damaged = run / f"step-{STEPS:07d}" / "optimizer.safetensors"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    news: list[Row] = []
    notices: list[str] = []
    folder = train_run(config, news.append, on_notice=notices.append, local=True)
    why = "(optimizer.safetensors does not match its SHA-256)"
    left_out = f"the checkpoint of step {STEPS} is damaged {why}"
    assert notices == [f"M: {left_out}, continuing from step {STEPS - 4}"]
    assert [row["step"] for row in news] == list(range(STEPS - 4, STEPS))
    assert weights(folder) == weights(undisturbed[0])
    assert sorted(path.name for path in run.glob("step-*")) == [f"step-{s:07d}" for s in (STEPS - 4, STEPS)]
    assert not (run / "checkpoint_manager_snapshot.json").exists()
    starts = [json.loads(line) for line in folder.read("starts.jsonl").splitlines()]
    assert [start["step"] for start in starts] == [0, STEPS - 4]
    assert all(start["certificate"]["passed"] and start["workers"] == 2 for start in starts)
    assert folder.read("model/starts.jsonl") == folder.read("starts.jsonl")
    assert len({start["trace"] for start in starts}) == 2
    assert starts[1]["trace"] == "another-job"
    models = [package.read(one.sub("model")) for one in (folder, undisturbed[0])]
    assert models[0].scorer == models[1].scorer


@pytest.mark.drill  # test_lanes.py has an error of a worker, and test_progress.py one that ends a run
@pytest.mark.timeout(120)
def test_an_error_of_ours_ends_the_run_at_once_without_any_monitor(
    interrupted, monkeypatch: pytest.MonkeyPatch
):
    config, run = interrupted
    for path in run.glob("step-*/metrics.jsonl"):
        path.write_bytes(path.read_bytes()[:-20])
    dead = monitors.start()
    ray.kill(dead)
    monkeypatch.setattr(monitors, "start", lambda: dead)
    before = (run / "starts.jsonl").read_bytes()
    with pytest.raises(
        RunError, match=rf"has no undamaged checkpoint .* step {STEPS} is damaged .* step {STEPS - 4} is"
    ):
        train_run(config, ignore, local=True)
    assert (run / "starts.jsonl").read_bytes() == before
    with lease.held(open_store(str(run)), "trained"):
        pass  # it was given back


@pytest.mark.drill
def test_a_run_whose_monitor_dies_ends_well(configure, undisturbed):
    killed: list[int] = []

    def kill(row: Row) -> None:
        if row["step"] >= 4 and not killed:
            killed.extend(descendants("ray::NewsDesk"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    folder = train_run(configure("unseen"), kill, local=True)
    assert killed
    assert folder.exists("model/package.json")
    assert weights(folder) == weights(undisturbed[0])


def test_a_second_driver_is_refused_before_it_does_anything(interrupted):
    config, run = interrupted
    before = sorted(run.rglob("*"))
    with (
        lease.held(open_store(str(run)), "trained"),
        pytest.raises(RunError, match=rf"is being trained already, by process {os.getpid()} on"),
    ):
        train_run(config, ignore, local=True)
    assert sorted(run.rglob("*")) == before


@pytest.mark.drill
def test_a_driver_that_was_taken_over_writes_no_more_checkpoints(configure):
    config = configure("taken")
    folder = open_store(f"{config.run.folder}/taken")

    def take(row: Row) -> None:
        if row["step"] == 5:
            folder.write(lease.NAME, lease.Holder.me("trained").to_bytes())

    with pytest.raises(RunError, match=r"was taken over by process"):
        train_run(config, take, local=True)
    assert not folder.exists("model/package.json")
    assert not folder.exists(f"step-{STEPS:07d}/state.json")


def killing(when: Callable[[int], bool]) -> tuple[Callable[[Row], None], list[int]]:
    """A function that kills a worker at each step for which `when` holds, and the steps at which it did."""
    at: list[int] = []

    def kill(row: Row) -> None:
        step = row["step"]
        if when(step) and step > max(at, default=-1) and (found := descendants("ray::RayTrainWorker")):
            at.append(step)
            os.kill(found[-1], signal.SIGKILL)

    return kill, at


@pytest.mark.drill
def test_restarts_count_anew_with_each_checkpoint(configure, undisturbed):
    kill, at = killing(lambda step: step % 8 == 6)
    folder = train_run(configure("unlucky", restarts=0), kill, local=True)
    assert len(at) >= 2
    assert weights(folder) == weights(undisturbed[0])


@pytest.mark.drill
def test_restarts_without_a_checkpoint_in_between_have_an_end(configure):
    kill, at = killing(lambda step: step >= 2 and not at)  # once: a run that restarted would end well
    with pytest.raises(ClusterError, match=r"0 restart\(s\) without a new checkpoint"):
        train_run(configure("hopeless", restarts=0, checkpoint_every=STEPS), kill, local=True)


@pytest.mark.drill
def test_slots_that_do_not_come_are_told_and_waited_for_no_longer_than_asked(configure, free_slots):
    taken = placement_group([{"CPU": 1}] * (free_slots - 1))
    ray.get(taken.ready(), timeout=60)
    notices: list[str] = []
    started = time.monotonic()
    try:
        with pytest.raises(ClusterError, match=r"waited 12 s for 1 of 2 workers: the cluster has 1 free slot"):
            train_run(configure("crowded", wait_s=12), ignore, on_notice=notices.append, local=True)
    finally:
        remove_placement_group(taken)
    assert any(line.startswith("M: waiting for 2 process(es) with 1 CPU each") for line in notices)
    assert time.monotonic() - started < 90
