"""One tiny data set, generated once for all tests of the folder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfmeta_dist.core.types import SPLITS, Sample
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import generate

SMALLEST = replace(SCALES["tiny"], subjects={"*": dict.fromkeys(SPLITS, 1)})  # one person a split


@pytest.fixture(scope="session")
def samples() -> dict[str, list[Sample]]:
    return {domain: list(generate(domain, SMALLEST, 0)) for domain in DOMAINS}
