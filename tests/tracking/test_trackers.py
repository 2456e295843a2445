"""Each step is shown once, whatever is repeated, and a tracker that fails costs a message and nothing else."""

from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.runs import starts
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.tracking import follow
from rfmeta_dist.tracking.follow import followed
from rfmeta_dist.tracking.mlflow import MLflow
from rfmeta_dist.tracking.record import Record, parameters
from rfmeta_dist.tracking.tensorboard import TensorBoard, events

STEPS = 50


def rows(*steps: int) -> list[dict[str, Any]]:
    return [{"step": step, "loss": 1 / (step + 1), "meta_test": "O", "seconds": 0.5} for step in steps]


def config(folder: Path, **tracking: Any) -> Config:
    tree = {
        "run": {"name": "r", "folder": str(folder)},
        "data": {"prefix": str(folder), "sources": ["O", "C", "I"], "target": "M"},
        "training": {"steps": STEPS},
        "tracking": tracking,
    }
    return check(tree, "test")


def in_tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard's own reader finds."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_tensorboard_reads_every_step_once_though_a_resumed_run_repeats_some(tmp_path):
    folder = open_folder(config(tmp_path))
    first = TensorBoard(folder, STEPS)
    for step in range(20):
        first.show(rows(step))
    resumed = TensorBoard(folder, STEPS)  # the driver was killed, and the run went on from step 15
    for step in range(15, STEPS):
        resumed.show(rows(step))
    before = in_tensorboard(tmp_path / "r/tensorboard")
    resumed.finish(Record(rows(*range(STEPS)), {"target/video/HTER": 0.25}, STEPS, {}))
    found = in_tensorboard(tmp_path / "r/tensorboard")
    assert [step for step, _ in found["train/loss"]] == list(range(STEPS))
    assert found["train/loss"][3][1] == pytest.approx(0.25)
    assert found["target/video/HTER"] == [(STEPS, 0.25)]
    assert {step for step, _ in before["train/loss"]} <= set(range(STEPS))
    assert len(before["train/loss"]) == len(set(before["train/loss"]))


def test_a_step_without_a_finite_loss_has_none_in_the_file():
    assert events({0: {}}) != events({0: {"train/loss": 1.0}})
    from rfmeta_dist.tracking.record import numbers

    shown = numbers({"step": 3, "loss": math.nan, "skipped": True, "meta_test": "O", "seconds": 1})
    assert shown == {"train/seconds": 1.0}


def in_mlflow(uri: str) -> tuple[Any, list[Any]]:
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name("rfmeta")
    assert experiment is not None
    return client, list(client.search_runs([experiment.experiment_id]))


def test_mlflow_gets_every_step_and_figure_once_and_finds_the_run_again(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run = config(tmp_path, mlflow=uri)
    for trace in ("job-1", "job-2"):
        monkeypatch.setenv("RFMETA_TRACE", trace)
        starts.note(open_folder(run))
    MLflow(run, open_folder(run)).show(rows(*range(20)))
    resumed = MLflow(run, open_folder(run))
    resumed.show(rows(*range(15, STEPS)))
    known = Record(rows(*range(STEPS)), {"target/video/HTER": 0.25}, STEPS, {})
    for _ in range(2):
        MLflow(run, open_folder(run)).finish(known)
    client, (found,) = in_mlflow(uri)
    history = client.get_metric_history(found.info.run_id, "train/loss")
    assert sorted(metric.step for metric in history) == list(range(STEPS))
    assert len(client.get_metric_history(found.info.run_id, "target/video/HTER")) == 1
    assert found.data.params["training.steps"] == str(STEPS)
    assert found.info.status == "FINISHED"
    assert found.data.tags["rfmeta.trace"] == "job-1, job-2"
    assert client.get_experiment_by_name("rfmeta").artifact_location == f"{tmp_path}/mlflow-files"


def test_a_server_that_is_not_there_is_told_once_and_what_it_missed_is_shown_later(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        run = config(tmp_path, mlflow=f"http://127.0.0.1:{taken.getsockname()[1]}", tensorboard=True)
        monkeypatch.setattr(follow, "EVERY_S", 0.01)
        said: list[str] = []
        seen: list[dict[str, Any]] = []
        with followed({"M": run}, seen.append, said.append) as show:
            for row in rows(*range(STEPS)):
                show(row | {"label": "M", "steps": STEPS})
    assert [row["step"] for row in seen] == list(range(STEPS))
    assert len(said) == 2
    assert "MLflow at http://127.0.0.1" in said[0]
    assert f"rfmeta report {open_folder(run).url}" in said[1]
    assert len(in_tensorboard(tmp_path / "r/tensorboard")["train/loss"]) == STEPS


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:secret@mlflow.example.org", "MLFLOW_TRACKING_PASSWORD"),
        ("mlruns", "not an address of MLflow"),
        ("ftp://mlflow", "not an address of MLflow"),
        ("sqlite:///mlflow.db", "not absolute"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(tmp_path, address, said):
    with pytest.raises(ConfigError, match=said) as error:
        config(tmp_path, mlflow=address)
    assert "tracking.mlflow" in str(error.value)
    assert "secret" not in str(error.value)


def test_nothing_is_followed_unless_it_is_asked_for(tmp_path):
    with followed({"M": config(tmp_path)}, print, print) as show:
        assert show is print
    assert "tracking.experiment" in parameters(config(tmp_path))


def test_a_page_is_written_where_the_tracker_of_the_training_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "find_spec", lambda _: None)
    said: list[str] = []
    run = config(tmp_path, mlflow="https://mlflow.example.org")
    follow.show_again(run, open_folder(run), said.append)
    assert len(said) == 1
    assert "rfmeta_dist[track]" in said[0]
