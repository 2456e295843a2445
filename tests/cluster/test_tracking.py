"""A run that is tracked trains, is judged, and shows what it did; without a server it does the same."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.cluster.judging import evaluate_here
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.tracking import Tracking
from rfmeta_dist.runs.folder import read_config
from rfmeta_dist.tracking.follow import show_again
from tests.cluster.conftest import STEPS
from tests.tracking.test_trackers import in_mlflow, in_tensorboard

pytestmark = pytest.mark.usefixtures("cluster")


def tracked(config: Config, address: str) -> Config:
    return config.model_copy(update={"tracking": Tracking(mlflow=address, tensorboard=True)})


def test_a_run_whose_server_is_down_is_trained_and_shown_when_it_is_back(configure: Any, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        run = tracked(
            configure("tracked", workers=1, strategy="single"), f"http://127.0.0.1:{taken.getsockname()[1]}"
        )
        said: list[str] = []
        folder = train_run(run, lambda _: None, on_notice=said.append, local=True)
    assert [line for line in said if "MLflow" in line] == said[:1]
    there = tracked(run, f"sqlite:///{tmp_path}/mlflow.db")
    train_run(there, lambda _: None, local=True)  # trains nothing, and writes the new address
    evaluate_here(there, folder)
    said = []
    show_again(read_config(folder), folder, said.append)
    assert said == []
    client, (found,) = in_mlflow(str(there.tracking.mlflow))
    steps = [metric.step for metric in client.get_metric_history(found.info.run_id, "train/loss")]
    assert sorted(steps) == list(range(STEPS))
    assert 0 <= found.data.metrics["target/video/HTER"] <= 1
    kept = {entry.path for entry in client.list_artifacts(found.info.run_id)}
    assert {"config.yaml", "evaluation.json", "model", "report.html"} <= kept
    page = Path(client.download_artifacts(found.info.run_id, "report.html", str(tmp_path))).read_text()
    assert "data:image/jpeg" not in page  # no faces leave the run's folder
    assert folder.exists("evaluation.json")
    shown = in_tensorboard(Path(folder.url) / "tensorboard")
    assert [step for step, _ in shown["train/loss"]] == list(range(STEPS))
    assert shown["target/video/AUC"][0][0] == STEPS
