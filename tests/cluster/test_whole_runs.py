"""Runs of a leave-one-out in lanes: the files of `rfmeta train` and `rfmeta evaluate`, leases, lost workers."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import ray

from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster.leave_one_out import WholeRuns, leave_one_out
from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.cluster.work import End
from rfmeta_dist.core.errors import ClusterError, DivergedError, StorageError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage import lease
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import RESTARTS
from tests.cluster.conftest import descendants
from tests.cluster.lanes import changed

pytestmark = pytest.mark.usefixtures("cluster")

ONE = {"workers": 1, "strategy": "single"}
# These files hold times or hashes of files with times, and package.json holds the hash of a certificate.
TIMED = {
    "certificate.json",
    "lease.json",
    "ledger.jsonl",
    "metrics.jsonl",
    "starts.jsonl",
    "state.json",
    "streams.json",
}


def files(folder: Path) -> dict[str, bytes]:
    """The files of a run by path, those with times as empty."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    timed = {name for name in found if Path(name).name in TIMED}
    return {name: b"" if name in timed else path.read_bytes() for name, path in found.items()}


def ledger(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "time"} for line in lines]


@pytest.mark.drill
def test_a_lane_writes_the_files_of_train_and_evaluate_and_only_judges_what_is_trained(configure: Any):
    alone, laned = configure("whole", steps=5, **ONE), configure("whole", steps=5, **ONE)
    laned = changed(laned, run={"folder": f"{alone.run.folder}/laned"})
    pair = changed(configure("pair", steps=2), run={"folder": laned.run.folder})
    folder = train_run(alone, lambda _: None, local=True)
    evaluation = evaluate_run(alone, folder)
    before = files(Path(folder.url))
    rows: list[dict[str, Any]] = []
    holders: list[lease.Holder | None] = []

    def look(row: dict[str, Any]) -> None:
        rows.append(row)
        if row["label"] == "pair":
            holders.append(lease.Holder.parse(open_folder(pair).read(lease.NAME)))

    outcomes = leave_one_out([laned, pair], look, local=True)
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert outcomes[0].evaluation == evaluation
    there = Path(open_folder(laned).url)
    now = files(there)
    assert now.keys() == before.keys()
    differing = {name for name in now if now[name] != before[name]}
    assert differing == {"config.yaml", "model/package.json"}  # the folder, and the time of the certificate
    assert ledger(there) == ledger(Path(folder.url))
    assert [row["step"] for row in rows if row["label"] == "whole" and "step" in row] == list(range(5))
    states = [(row["label"], row["state"]) for row in rows if "state" in row]
    assert states == [("whole", "judging"), ("whole", "done"), ("pair", "judging"), ("pair", "done")]
    validation = json.loads(now["model/package.json"])["thresholds"]["video"]["eer"]
    assert [row["validation"] for row in rows if row["label"] == "whole" and "validation" in row] == [
        validation
    ]
    # This process holds the lease while it lives, so the run can continue at once if it is killed.
    assert {holder.pid for holder in holders if holder} == {os.getpid()}
    last = lease.Holder.parse(open_folder(pair).read(lease.NAME))
    assert last
    assert last.released

    rows.clear()
    (again,) = leave_one_out([laned], rows.append, local=True)
    assert again.evaluation == evaluation
    assert [row.get("state") for row in rows] == ["judging", "done"]
    assert files(there) == now


def test_how_a_run_ended_is_told_with_its_reason(configure: Any):
    names = ("lost", "wild", "never")
    runs = [configure(name, restarts=2, **ONE) for name in names]
    monitor = monitors.start()
    work = WholeRuns(runs, {}, monitor, time.time())
    work.ended(work.orders()[0], End(StorageError("the disk is full", "free some"), RESTARTS))
    work.ended(Order(runs[1], 24, {}), End(DivergedError("the loss is not finite", "lower it")))
    assert [order.config.run.name for order in work.orders()] == ["never"]
    work.give_up(ClusterError("no lane can be started", "add machines"))
    found = [work.outcomes[name].error for name in names]
    assert [(type(error), error.exit_code) for error in found if error] == [
        (StorageError, 4),
        (DivergedError, 5),
        (ClusterError, 6),
    ]
    assert str(found[0]) == (
        f"training of {open_folder(runs[0]).url} failed after 2 restart(s) without a new checkpoint: "
        "the disk is full; free some"
    )
    rows = ray.get(monitor.drain.remote())
    assert [(row["label"], row["state"]) for row in rows] == [(name, "failed") for name in names]
    assert [row["reason"] for row in rows[1:]] == ["the loss is not finite", "no lane can be started"]


@pytest.mark.drill
def test_a_worker_that_is_killed_costs_its_run_a_restart_alone(configure: Any):
    hurt = configure("hurt-whole", steps=60, checkpoint_every=10, **ONE)
    cursed = configure("cursed-whole", steps=200, checkpoint_every=200, restarts=1, **ONE)
    killed: list[int] = []
    said: list[str] = []

    def kill(row: dict[str, Any]) -> None:
        late = row.get("step", 0) >= (20 if row["label"] == "hurt-whole" else 0) and "step" in row
        wanted = 1 if row["label"] == "hurt-whole" else 3
        workers = [pid for pid in descendants("ray::RayTrainWorker") if pid not in killed]
        if late and workers and len(killed) < wanted:
            killed.append(workers[-1])
            os.kill(killed[-1], signal.SIGKILL)

    outcomes = []
    for run in (hurt, cursed):
        outcomes += leave_one_out([run], kill, on_notice=said.append, local=True)
    assert outcomes[0].error is None
    assert any(line.startswith("hurt-whole: workers have failed; it goes on") for line in said)
    assert isinstance(outcomes[1].error, ClusterError)
    assert "failed after 1 restart(s) without a new checkpoint" in outcomes[1].error.problem
    assert len(killed) == 3
