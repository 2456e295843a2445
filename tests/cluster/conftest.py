"""One local Ray with eight logical slots, and one set of tiny domains, for every test of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.storage.store import Store


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    from rfmeta_dist.cluster.session import session

    with session(slots=8):
        yield


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A prefix with the four generated domains at the tiny scale."""
    from rfmeta_dist.ingest.pack import pack
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.generate import generate
    from rfmeta_dist.synth.scale import SCALES

    folder = tmp_path_factory.mktemp("faces")
    for name in "OCIM":
        pack(generate(name, SCALES["tiny"], 0), open_store(str(folder)), name, contract={"seed": 0})
    return str(folder)


STEPS = 24


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def undisturbed(cluster: None, configure: Any) -> tuple[Store, list[dict[str, Any]]]:
    """The folder of a run of two workers that nothing happened to, and the news it gave."""
    from rfmeta_dist.cluster.train import train_run

    news: list[dict[str, Any]] = []
    return train_run(configure("undisturbed"), news.append, local=True), news


def descendants(title: str) -> list[int]:
    """Processes below this one whose title starts so."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if line.startswith(title) and _is_below(int(entry.name)):
            found.append(int(entry.name))
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
