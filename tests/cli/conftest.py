"""Small domains, and a configuration that names them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import SIZE, make_samples

SIZES = {"train": (6, 6), "validation": (3, 3)}


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the domains A to D; not to be changed."""
    prefix = tmp_path_factory.mktemp("packed")
    for name in "ABCD":
        pack(make_samples(name, SIZES), open_store(str(prefix)), name, contract={})
    return prefix


@pytest.fixture
def prefix(packed: Path, tmp_path: Path) -> Path:
    """A prefix of one's own, to damage."""
    return Path(shutil.copytree(packed, tmp_path / "data"))


@pytest.fixture
def config(packed: Path, tmp_path: Path) -> Path:
    """The smallest run: sources A, B and C, target D."""
    tree = {
        "run": {"name": "r", "folder": str(tmp_path / "runs")},
        "data": {
            "prefix": str(packed),
            "sources": ["A", "B", "C"],
            "target": "D",
            "image_size": SIZE,
            "batch": 4,
        },
        "model": {"width": 0.05},
        "training": {"steps": 4, "checkpoint_every": 2},
        "evaluation": {"recalibration_batches": 1},
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's own environment holds must not decide a test."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of a given size, where that is permitted."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)
