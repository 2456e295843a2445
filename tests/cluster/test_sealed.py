"""A training process that asks for the target's samples or labels is refused, wherever it asks."""

from __future__ import annotations

import dataclasses

import pytest
import ray

from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.streams import RayBatches, Streams, opened, start
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.domains import open_sources
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import SealedError, Sources
from rfmeta_dist.episode.plan import Need
from tests.stored import SHARDS

ASKED = Need("M", 0, range(4))
WORDS = "asked for M, which is none of its sources C, O"


@pytest.fixture
def config() -> Config:
    data = {"prefix": str(SHARDS), "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 4}
    return check({"run": {"name": "sealed"}, "data": {**data, "cache_gb": 0}}, "test")


@ray.remote(num_cpus=0.1)
def ask(streams: Streams, need: Need) -> list[str]:
    """Ask for a batch, in a process of its own as a training's worker does."""
    return list(RayBatches(streams).batch(need).keys)


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_asks_for_the_target_is_refused_and_so_is_one_that_forges_its_request(config: Config):
    fingerprints = {name: manifest.fingerprint for name, manifest in open_sources(config).items()}
    streams = opened(start([config]), config, fingerprints)
    assert len(got(ask.remote(streams, dataclasses.replace(ASKED, domain="O")))) == 4
    with pytest.raises(SealedError, match=WORDS):
        got(ask.remote(streams, ASKED))
    # The actor refuses too: what it may read stands in the training's reading, not in the worker's request.
    forged = dataclasses.replace(streams, actors={**streams.actors, "M": streams.actors["O"]})
    with pytest.raises(SealedError, match=WORDS):
        got(ask.remote(forged, ASKED))


def test_a_recipe_that_asks_for_the_target_is_refused(config: Config):
    sources = Sources.of(config)
    batches = LocalBatches(sources.store, sources.manifests, config.data, 0)
    with pytest.raises(SealedError, match=WORDS):
        batches.batch(ASKED)
