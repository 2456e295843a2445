"""Define fixtures and settings for all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# A busy machine pauses a test for longer than Hypothesis allows an example to take.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

# The tensors of tests are small: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from rfmeta_dist.ingest.face import Faces
    from rfmeta_dist.storage.embedded import EmbeddedS3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Divide the tests among processes by file, but keep those together that share one Ray."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "tests/cluster" if file.startswith("tests/cluster/") else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def s3() -> Iterator[EmbeddedS3]:
    """Start a real S3 server with the bucket `tests`. Each test must use its own prefix."""
    from rfmeta_dist.storage.embedded import embedded_s3

    with (
        tempfile.TemporaryDirectory(prefix="rfmeta-s3-") as folder,
        embedded_s3(Path(folder)) as server,
    ):
        server.make_bucket("tests")
        yield server


@pytest.fixture(scope="session")
def faces_installed() -> None:
    """Install the face models as a user would; tests that need them are skipped where they cannot be had."""
    from rfmeta_dist.core.errors import ConfigError
    from rfmeta_dist.ingest.models import install

    try:
        install()
    except ConfigError as error:
        pytest.skip(f"the face models cannot be had: {error}")


@pytest.fixture(scope="session")
def faces(faces_installed: None) -> Faces:
    """Return detector and landmarks."""
    from rfmeta_dist.ingest.face import Faces

    return Faces()
