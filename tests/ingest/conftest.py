"""The face models, which the tests of this folder share."""

from __future__ import annotations

import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.models import install


@pytest.fixture(scope="session")
def faces() -> Faces:
    """Detector and landmarks, installed as a user would."""
    try:
        install()
    except ConfigError as error:
        pytest.skip(f"the face models cannot be had: {error}")
    return Faces()
