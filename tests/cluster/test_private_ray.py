"""A local Ray is closed to other machines and other users, and nothing that a run leaves holds a secret."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import yaml

from rfmeta_dist.storage.embedded import EmbeddedS3
from rfmeta_dist.storage.store import open_store
from tests.cluster.conftest import titles
from tests.listening import listening, public
from tests.planted import environment, found_below, found_in, in_command_lines

STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    print("admitted", GcsClient(address=sys.argv[1]).get_all_node_info(timeout=20))
except Exception as error:
    print("refused", type(error).__name__)
"""


def folder_of_ray() -> Path:
    """Return the folder that this process's local Ray keeps its files in."""
    return Path(ray._private.worker._global_node.get_session_dir_path())


def test_it_listens_on_loopback_alone(cluster: None):
    processes = [os.getpid(), *titles()]
    assert len(listening(processes)) > 4  # Ray's own, or the search has found nothing
    assert public(processes) == []


def test_its_folder_is_closed_to_other_users(cluster: None):
    private = next(p for p in folder_of_ray().parents if p.parent == Path("/tmp"))
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_its_token_is_in_no_command_line_and_no_log(cluster: None):
    token = os.environ["RAY_AUTH_TOKEN"]
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(token) == 64
    assert in_command_lines([token]) == []
    assert found_below(folder_of_ray(), [token]) == []


@pytest.mark.parametrize("token", [None, pytest.param("0" * 64, marks=pytest.mark.drill), "its own"])
def test_only_who_has_the_token_is_admitted(cluster: None, tmp_path: Path, token: str | None):
    address = ray.get_runtime_context().gcs_address
    given = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"HOME": str(tmp_path)}
    if token is not None:
        own = os.environ["RAY_AUTH_TOKEN"]
        given |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": own if token == "its own" else token}
    command = [sys.executable, "-c", STRANGER, address]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.startswith("admitted" if token == "its own" else "refused AuthenticationError")


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_planted_secret_is_found_nowhere_after_a_run_with_trackers(
    s3: EmbeddedS3, faces: str, tmp_path: Path
):
    """Train, judge and show a run whose data is in S3, and look into all that it writes, also while it runs."""
    data = open_store("s3://tests/planted-data")
    for path in (path for path in Path(faces).rglob("*") if path.is_file()):
        data.write(path.relative_to(faces).as_posix(), path.read_bytes())
    tree = {
        "run": {"name": "r", "folder": str(tmp_path / "runs")},
        "data": {"prefix": data.url, "sources": ["O", "C", "I"], "target": "M", "image_size": 32, "batch": 4},
        "model": {"width": 0.05},
        "training": {"steps": 8, "checkpoint_every": 4},
        "evaluation": {"recalibration_batches": 1},
        "tracking": {"mlflow": f"sqlite:///{tmp_path}/mlflow.db", "tensorboard": True},
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(tree))
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    planted = environment(given)
    secrets = [planted[n] for n in ("RAY_AUTH_TOKEN", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")]
    secrets.append(s3.environment["AWS_SECRET_ACCESS_KEY"])
    planted |= s3.environment | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "RFMETA_TRACE": "drill-1"}
    planted.pop("AWS_SESSION_TOKEN")
    program = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "--log-format", "json"]
    process = subprocess.Popen(
        [*program, "train", str(tmp_path / "run.yaml"), "--slots", "4"],
        env=planted,
        stdout=(tmp_path / "out").open("wb"),
        stderr=(tmp_path / "err").open("wb"),
    )
    before, looks = set(Path("/tmp").glob("rf-*")), 0
    while process.poll() is None:
        assert in_command_lines(secrets) == []
        for folder in set(Path("/tmp").glob("rf-*")) - before:
            assert found_below(folder, secrets) == []
            looks += (folder / "ray").exists()
        time.sleep(0.5)
    lines = [json.loads(line) for line in (tmp_path / "err").read_text().splitlines()]
    assert process.returncode == 0, lines
    assert looks > 3  # the logs of Ray were there while it ran
    assert {line["trace"] for line in lines} == {"drill-1"}
    for command in ("evaluate", "report"):
        done = subprocess.run(
            [*program, command, str(tmp_path / "runs/r")], env=planted, capture_output=True, check=True
        )
        assert found_in(done.stdout + done.stderr, secrets) == []
    written = {path.name for path in tmp_path.rglob("*")}
    assert {"report.html", "starts.jsonl", "mlflow.db", "tensorboard", "model.safetensors", "cache"} <= written
    assert found_below(tmp_path, secrets) == []
    assert found_in((s3.folder / "weed.log").read_bytes(), secrets) == []
    assert ", trace drill-1.</footer>" in (tmp_path / "runs/r/report.html").read_text()
