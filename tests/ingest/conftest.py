"""Define fixtures of this folder: the face models, and trees of the data sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rfmeta_dist.ingest.layouts import LAYOUTS
from tests.ingest.layout_trees import build


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Make every data set as empty files at its published size. Tests must not change it."""
    top = tmp_path_factory.mktemp("trees")
    return {name: build(top / name, name) for name in LAYOUTS}
