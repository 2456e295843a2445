"""Define fixtures of this folder: the face models, and a small deployment package."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.ingest.face import Faces
from tests.deploy.small_package import write_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory, faces: Faces) -> Path:
    """A package whose score rises with the brightness of the crop. Tests must not change it."""
    return write_package(tmp_path_factory.mktemp("deployed") / "package")
