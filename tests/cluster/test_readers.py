"""The domains' readers on a real cluster: each byte once for any number of workers, and all of it on record."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import pytest
import ray

from rfmeta_dist.cluster.reading import Reading, ReadingActor
from rfmeta_dist.cluster.streams import RayBatches, Streams, totals
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.episode.plan import plan
from rfmeta_dist.storage.store import open_store
from tests.faults import Faults, proxy
from tests.samples import SIZE, make_samples

pytestmark = pytest.mark.usefixtures("cluster")

BATCH, EPOCH = 20, 600


@pytest.fixture(scope="module")
def packed(s3) -> dict[str, Manifest]:
    """Three source domains on S3, in shards small enough for many."""
    url = f"s3://tests/{uuid4().hex}"
    counts = {"train": (EPOCH // 2, EPOCH // 2), "validation": (2, 2)}
    return {
        name: pack(make_samples(name, counts), open_store(url), name, contract={"at": url}, shard_bytes=60_000)
        for name in "OCI"
    }


def configuration(manifests: dict[str, Manifest], workers: int, episodes: int, domains: int) -> Config:
    return check(
        {
            "run": {"name": f"read{workers}"},
            "data": {
                "prefix": manifests["O"].contract["at"],
                "sources": list(manifests),
                "target": "M",
                "image_size": SIZE,
                "batch": BATCH,
            },
            "episode": {"domains": domains},
            "training": {"workers": workers, "episodes": episodes},
        },
        "test",
    )


@ray.remote(num_cpus=0.1)
def work(config: Config, rank: int, streams: Streams, steps: int) -> dict[tuple[str, int], list[str]]:
    """What a worker reads: the keys it got, by domain and batch."""
    source, got = RayBatches(streams), {}
    for step in range(steps):
        for need in (need for needs in plan(config, rank, step).needs for need in needs if need):
            got[need.domain, need.index, need.rows] = source.batch(need).keys
    return got


@pytest.mark.parametrize(
    ("workers", "episodes", "domains"),
    [(1, 1, 3), pytest.param(2, 1, 3, marks=pytest.mark.drill), (4, 2, 3), (2, 1, 2)],
)
def test_an_epoch_reads_every_byte_once_for_any_number_of_workers(
    s3, packed, tmp_path: Path, workers: int, episodes: int, domains: int
):
    config = configuration(packed, workers, episodes, domains)
    steps = EPOCH // BATCH // episodes * len(packed) // domains
    with proxy(s3.endpoint, Faults()) as watched:
        there = s3.environment | {"AWS_ENDPOINT_URL": watched.endpoint, "XDG_CACHE_HOME": str(tmp_path)}
        reading = ReadingActor.options(runtime_env={"env_vars": there})
        actors = {"O": reading.remote()} | dict.fromkeys("CI", reading.remote())
        hashes = {name: manifest.fingerprint for name, manifest in packed.items()}
        streams = Streams(actors, Reading.of(config, hashes).encoded())
        ranks = [work.remote(config, rank, streams, steps) for rank in range(workers)]
        seen: dict[str, set[str]] = {name: set() for name in packed}
        for got in ray.get(ranks):
            for (domain, _, _), keys in got.items():
                seen[domain] |= set(keys)
        read = totals(streams)
    for name, manifest in packed.items():
        train = [shard for shard in manifest.shards if shard.split == "train"]
        size = sum(shard.size for shard in train)
        sent = sum(n for path, n in watched.sent.items() if path.endswith(".tar") and f"/{name}/" in path)
        assert sent <= 1.02 * size
        assert read[name].bytes_read == sent
        assert len(seen[name]) == EPOCH


def test_a_run_records_what_its_readers_did_and_prometheus_can_ask(configure, undisturbed):
    folder, news = undisturbed
    done = json.loads(folder.read("streams.json"))
    assert done.keys() == {"O", "C", "I"}
    for domain in done.values():
        assert domain["samples"] >= 4 * len(news)
        assert domain["bytes_read"] > 0
    exported = _exported("ray_rfmeta_train_steps_total")
    assert 'run="undisturbed"' in exported
    assert "ray_rfmeta_stream_bytes_read_total" in exported
    assert 'domain="O"' in exported
    assert "ray_rfmeta_train_data_seconds_total" in exported


def _exported(name: str, seconds: float = 30) -> str:
    """What this node's metrics endpoint says, once the name is in it: Ray gathers every few seconds."""
    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    deadline = time.monotonic() + seconds
    while True:
        with urlopen(url) as answer:
            text = answer.read().decode()
        if name in text:
            return text
        assert time.monotonic() < deadline, f"{name} was never exported"
        time.sleep(0.5)
