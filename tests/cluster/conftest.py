"""One local Ray with eight logical slots, and one set of tiny domains, for the tests of this folder alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.storage.store import Store
from tests.stored import SHARDS


@pytest.fixture(scope="package")
def cluster() -> Iterator[None]:
    from rfmeta_dist.cluster.session import session

    with session(slots=8):
        yield


@pytest.fixture(scope="package")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A prefix with the four generated domains, five people each, 32×32 pixels."""
    return str(shutil.copytree(SHARDS, tmp_path_factory.mktemp("faces") / "shards"))


@pytest.fixture
def free_slots(cluster: None) -> int:
    """The number of slots, when all are free again: what earlier tests started has had time to end."""
    import ray

    deadline = time.monotonic() + 20
    while (free := int(ray.available_resources().get("CPU", 0))) < ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline, f"{free} slots are free"
        time.sleep(0.5)
    return free


STEPS = 24


@pytest.fixture(scope="package")
def configure(faces: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Makes a small configuration; further keyword arguments are fields of `training`."""
    folder = tmp_path_factory.mktemp("runs")

    def make(name: str, backbone: str = "paper", **training: Any) -> Config:
        tree: dict[str, Any] = {
            "run": {"name": name, "folder": str(folder)},
            "data": {"prefix": faces, "sources": ["O", "C", "I"], "target": "M", "image_size": 32, "batch": 4},
            "model": {"width": 0.05, "backbone": backbone},
            "training": {"steps": STEPS, "checkpoint_every": 4, **training},
            "evaluation": {"recalibration_batches": 2},
        }
        return check(tree, "test")

    return make


@pytest.fixture(scope="package")
def undisturbed(cluster: None, configure: Any) -> tuple[Store, list[dict[str, Any]]]:
    """The folder of a run of two workers that nothing happened to, and the news it gave."""
    from rfmeta_dist.cluster.train import train_run

    news: list[dict[str, Any]] = []
    return train_run(configure("undisturbed"), news.append, local=True), news


def descendants(title: str) -> list[int]:
    """Processes below this one whose title starts so."""
    return [pid for pid, line in _below().items() if line.startswith(title)]


def titles() -> dict[int, str]:
    """The titles or command lines of all processes below this one, by process."""
    return _below()


def _below() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or not _is_below(int(entry.name)):
            continue
        with suppress(OSError):
            found[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    return found


def _is_below(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def wait_until_still(folder: Path, seconds: float = 4) -> None:
    """Until the orphaned cluster has ended and writes nothing more."""
    seen, since = sorted(folder.rglob("*")), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.2)
        now = sorted(folder.rglob("*"))
        if now != seen:
            seen, since = now, time.monotonic()


def kill_when_staged(out: Path, *command: str) -> list[Path]:
    """Run an rfmeta command, end it with SIGKILL when it has staged a recording; gives what it has staged."""
    program = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", *command]
    process = subprocess.Popen(program, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.rglob("staging-*/*.parquet")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_still(out)
    assert not list(out.rglob("manifest-*"))
    return list(out.rglob("staging-*/*.parquet"))
