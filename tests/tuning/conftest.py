"""Domains for studies to read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.stored import SHARDS


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHARDS, tmp_path / "faces"))
