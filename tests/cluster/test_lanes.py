"""Lanes on a real Ray: a training that pauses and goes on, beside others, is the training of `rfmeta train`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.cluster.judging import evaluate_here
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError, DataError
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning.results import DIVERGED, RESTARTS, SOURCES, Result
from tests.cluster.conftest import descendants
from tests.cluster.lanes import Desk, changed, order

pytestmark = pytest.mark.usefixtures("cluster")

STEPS, RUNG = 8, 5


def small(configure: Any, folder: Path, name: str, **training: Any) -> Config:
    """A training of a study in a folder, of one worker if not said otherwise."""
    one = {"workers": 1, "strategy": "single", "steps": STEPS, "checkpoint_every": 3, **training}
    return changed(configure(name, **one), run={"name": name, "folder": str(folder / "trainings")})


def run_of(config: Config) -> Store:
    return open_store(f"{config.run.folder}/{config.run.name}")


def tensors(folder: Store, step: int = STEPS) -> list[bytes]:
    return [folder.read(f"step-{step:07d}/{name}.safetensors") for name in ("model", "optimizer")]


def by_train_and_evaluate(config: Config) -> tuple[Store, Result]:
    """The same training under another name, as `rfmeta train` and `rfmeta evaluate` do it."""
    alone = changed(config, run={"name": f"{config.run.name}-alone"})
    folder = train_run(alone, lambda _: None, local=True)
    found = evaluate_here(alone, folder)["figures"]["video"]
    return folder, Result(found["HTER"]["value"], found["AUC"]["value"])


def test_lanes_give_the_weights_and_figures_of_train_and_evaluate_and_errors_end_their_order_alone(
    configure: Any, faces: str, tmp_path: Path
):
    """One training pauses at a rung, one does not; one diverges, one reads a damaged shard."""
    straight, paused = (small(configure, tmp_path, name, decay="cosine") for name in ("straight", "paused"))
    wild = changed(
        small(configure, tmp_path, "wild", learning_rate=1, steps=60),
        model={"backbone": "convnext_micro"},
        method={"inner_learning_rate": 10, "inner_steps": 7, "depth_weight": 1e4},
    )
    elsewhere = shutil.copytree(faces, tmp_path / "faces")
    for shard in (elsewhere / "C/train").rglob("*.tar"):
        shard.write_bytes(shard.read_bytes()[:-2000])
    broken = changed(small(configure, tmp_path, "broken"), data={"prefix": str(elsewhere)})
    desk = Desk(
        tmp_path,
        [
            [order(broken, STEPS, "M")],
            [
                order(paused, RUNG, "M", SOURCES),
                order(wild, 60, "M", SOURCES),
                order(paused, STEPS, "M", SOURCES),
                order(straight, STEPS, "M", SOURCES),
            ],
        ],
    )
    pins.add(run_of(paused), {"M": "0" * 64})  # another study has judged it on data that is no longer there
    with pytest.raises(DataError):
        desk.run()
    assert pins.read(run_of(paused))["M"] != "0" * 64
    expected, figures = by_train_and_evaluate(straight)
    for config in (straight, paused):
        assert tensors(run_of(config)) == tensors(expected)
        assert desk.result(f"figures/{config.run.name}-{STEPS}-M.json") == figures
    rung = desk.result(f"figures/paused-{RUNG}-M.json")
    assert rung
    assert not rung.kind
    rows = [row for row in desk.rows if row["label"] == "paused"]
    assert [row["step"] for row in rows if "step" in row] == list(range(STEPS))
    assert [row["state"] for row in rows if "state" in row] == ["judging", "paused", "judging", "done"]
    found = [desk.result(f"figures/wild-60-{name}.json") for name in ("M", "sources")]
    assert [one.kind for one in found if one] == [DIVERGED, DIVERGED]
    assert desk.result(f"figures/broken-{STEPS}-M.json") is None
    sources = desk.result(f"figures/straight-{STEPS}-sources.json")
    assert sources == desk.result(f"figures/paused-{STEPS}-sources.json")
    assert sources
    assert 0 <= (sources.hter or 0) <= 1
    of_sources(expected, sources)
    reads = [json.loads(line) for line in run_of(paused).read("ledger.jsonl").splitlines()]
    assert sorted((read["purpose"], read["domain"], read["sealed"]) for read in reads) == sorted(
        [(purpose, name, False) for purpose in ("training", "threshold") for name in "OCI"]
        + [("evaluation", "M", True)]
    )
    assert not run_of(paused).exists("model/package.json")
    assert not run_of(paused).exists("evaluation.json")


def of_sources(run: Store, result: Result) -> None:
    """The figure of the sources is that of their validation scores at the threshold that was set on them."""
    from rfmeta_dist.evaluation import rates, thresholds
    from rfmeta_dist.evaluation.scores import Scores

    scores = Scores.from_parquet(run.read("validation.parquet"))
    videos, threshold = scores.per("video"), thresholds.from_sources(scores, "video").value
    assert result == Result(
        rates.hter(videos.label, videos.score, threshold), rates.auc(videos.label, videos.score)
    )


def test_what_can_never_run_is_said_at_once(configure: Any, tmp_path: Path):
    many = small(configure, tmp_path, "many", workers=64, strategy="ddp", episodes=64)
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"needs 64 process.*but the cluster has 8 CPUs on 1 machine"):
        Desk(tmp_path, [[order(many, STEPS, "M")]]).run()
    assert time.monotonic() - began < 10


@pytest.mark.drill
def test_two_workers_of_which_one_is_killed_give_the_same_bits(configure: Any, tmp_path: Path):
    config = small(configure, tmp_path, "hurt", workers=2, strategy="ddp", steps=24, checkpoint_every=6)
    other = changed(config, run={"name": "other"}, training={"seed": 1})
    killed: list[int] = []

    def kill(row: dict[str, Any]) -> None:
        if row["label"] == "hurt" and row.get("step", 0) >= 8 and not killed:
            killed.append(descendants("ray::RayTrainWorker")[-1])
            os.kill(killed[0], signal.SIGKILL)

    desk = Desk(tmp_path, [[order(config, 12, "M"), order(config, 24, "M")], [order(other, 24, "M")]])
    desk.on_row = kill
    desk.run()
    assert killed
    assert any("workers have failed" in line for line in desk.said)
    for one in (config, other):
        expected, figures = by_train_and_evaluate(one)
        assert tensors(run_of(one), 24) == tensors(expected, 24)
        assert desk.result(f"figures/{one.run.name}-24-M.json") == figures
    assert len(list((tmp_path / "figures").iterdir())) == 3


@pytest.mark.drill
def test_workers_that_fail_again_and_again_cost_their_training_alone(configure: Any, tmp_path: Path):
    config = small(configure, tmp_path, "cursed", steps=200, checkpoint_every=200, restarts=1)
    fine = small(configure, tmp_path, "fine", restarts=1)
    killed: list[int] = []

    def kill(row: dict[str, Any]) -> None:
        workers = descendants("ray::RayTrainWorker")
        if row["label"] == "cursed" and workers and workers[0] not in killed:
            killed.append(workers[0])
            os.kill(workers[0], signal.SIGKILL)

    desk = Desk(tmp_path, [[order(config, 200, "M"), order(fine, STEPS, "M")]])
    desk.on_row = kill
    desk.run()
    failure = desk.failure("figures/cursed-200-M.json")
    assert failure
    assert failure.kind == RESTARTS
    assert "after 1 restart(s) without a new checkpoint" in failure.failed
    assert desk.result("figures/cursed-200-M.json") is None
    assert len(killed) == 2
    result = desk.result(f"figures/fine-{STEPS}-M.json")
    assert result
    assert not result.kind


@pytest.mark.drill
def test_a_lane_whose_trial_is_killed_is_replaced(configure: Any, tmp_path: Path):
    config = small(configure, tmp_path, "orphan", steps=200, checkpoint_every=20)
    killed: list[int] = []

    def kill(row: dict[str, Any]) -> None:
        if row.get("step", 0) >= 30 and not killed:
            killed.extend(descendants("ray::ImplicitFunc"))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    desk = Desk(tmp_path, [[order(config, 200, "M")]])
    desk.on_row = kill
    desk.run()
    assert killed
    result = desk.result("figures/orphan-200-M.json")
    assert result
    assert not result.kind
