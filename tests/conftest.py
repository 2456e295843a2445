"""What every test shares."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The tensors of tests are small: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from rfmeta_dist.storage.embedded import EmbeddedS3


@pytest.fixture(scope="session")
def s3() -> Iterator[EmbeddedS3]:
    """A real S3 server with the bucket `tests`; give each test a prefix of its own."""
    from rfmeta_dist.storage.embedded import embedded_s3

    with (
        tempfile.TemporaryDirectory(prefix="rfmeta-s3-") as folder,
        embedded_s3(Path(folder)) as server,
    ):
        server.make_bucket("tests")
        yield server
