"""One tiny data set, generated once for all tests of the folder."""

from __future__ import annotations

import pytest

from rfmeta_dist.core.types import Sample
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import generate


@pytest.fixture(scope="session")
def samples() -> dict[str, list[Sample]]:
    return {domain: list(generate(domain, SCALES["tiny"], 0)) for domain in DOMAINS}
