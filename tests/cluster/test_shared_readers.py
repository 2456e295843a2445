"""Trainings that share reading actors get what they would get from actors of their own, bit for bit."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
import ray

from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.reading import ReadingActor
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.storage.store import open_store
from tests.faults import Faults, proxy
from tests.samples import SIZE, make_samples

pytestmark = pytest.mark.usefixtures("cluster")

STEPS = 12
Batches = dict[tuple[str, int], str]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three domains on disk, in shards so small that a training reads several."""
    return packed(str(tmp_path_factory.mktemp("shared")))


def packed(place: str) -> str:
    for name in "OCI":
        samples = make_samples(name, {"train": (30, 30)})
        pack(samples, open_store(place), name, contract={}, shard_bytes=60_000)
    return place


def training(prefix: str, name: str, sources: str = "OCI", seed: int = 0, **data: Any) -> Config:
    return check(
        {
            "run": {"name": name, "folder": "/nowhere"},
            "data": {"prefix": prefix, "sources": list(sources), "target": "M", "image_size": SIZE, "batch": 4}
            | data,
            "training": {"seed": seed, "workers": 1},
        },
        "test",
    )


def different(prefix: str) -> list[Config]:
    return [
        training(prefix, "plain"),
        training(prefix, "seed", seed=1),
        training(prefix, "augmented", "OC", augmentation={"cutout": 0.2}),
        training(prefix, "larger", "CI", batch=8),
    ]


def hashes(prefix: str) -> dict[str, str]:
    return {name: Manifest.open(open_store(prefix), name).fingerprint for name in "OCI"}


def opened(actors: streams.Actors, config: Config) -> streams.Streams:
    return streams.opened(actors, config, hashes(config.data.prefix))


def digest(raw: RawBatch) -> str:
    whole = [raw.image.tobytes(), raw.depth.tobytes(), raw.label.tobytes(), repr(raw.keys).encode()]
    return hashlib.sha256(b"".join(whole)).hexdigest()


def asked(source: streams.RayBatches, config: Config, steps: Sequence[int]) -> Batches:
    needs = {(name, k): Need(name, k, range(config.data.batch)) for k in steps for name in config.data.sources}
    return {key: digest(source.batch(need)) for key, need in needs.items()}


def asked_at_once(source: streams.RayBatches, config: Config) -> Batches:
    """The batches of all domains, requested step by step before the first one is taken, domain by domain."""
    for step in range(STEPS):
        source.prefetch([Need(name, step, range(config.data.batch)) for name in config.data.sources])
    return asked(source, config, range(STEPS))


def by_itself(config: Config) -> Batches:
    """The batches as one process reads them from the store, without actors."""
    store, found = open_store(config.data.prefix), {}
    for name in config.data.sources:
        batches = DomainStream.of_run(
            store, Manifest.open(store, name), config.data, config.training.seed
        ).batches()
        found |= {(name, k): digest(next(batches)) for k in range(STEPS)}
    return found


def each_in_a_thread(configs: Sequence[Config], work: Callable[[Config], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(configs)) as pool:
        return list(pool.map(work, configs))


def processes(actors: streams.Actors) -> set[int]:
    every = {actor for several in actors.values() for actor in several}
    return set(ray.get([actor.__ray_call__.remote(lambda _: os.getpid()) for actor in every]))


def modules(actors: streams.Actors) -> set[str]:
    """What the actors have imported."""
    every = {actor for several in actors.values() for actor in several}
    return set().union(*ray.get([actor.__ray_call__.remote(lambda _: list(sys.modules)) for actor in every]))


def reading_threads(actors: Mapping[str, Sequence[Any]]) -> int:
    """Threads that read or decode for any stream."""

    def count(_: Any) -> int:
        names = [thread.name.partition("-")[0].partition("_")[0] for thread in threading.enumerate()]
        return sum(name in ("read", "fetch", "decode") for name in names)

    return sum(ray.get([a.__ray_call__.remote(count) for a in {actors[name][0] for name in actors}]))


def test_trainings_at_once_and_one_after_another_get_the_batches_of_separate_readers(prefix: str):
    configs = different(prefix)
    actors = streams.start(configs, together=4)
    assert len(processes(actors)) == 1  # four workers on CPUs
    first = each_in_a_thread(configs, lambda c: asked(streams.RayBatches(opened(actors, c)), c, range(STEPS)))
    expected = [by_itself(config) for config in configs]
    assert first == expected
    assert len({found["C", 0] for found in expected}) == len(configs)  # they are four different trainings
    for config in configs:
        streams.close(opened(actors, config))
    assert [asked_at_once(streams.RayBatches(opened(actors, config)), config) for config in configs] == expected
    assert not {"torch", "webdataset", "rfmeta_dist.methods"} & modules(actors)


def test_an_actor_that_is_killed_goes_on_with_the_streams_of_all_its_trainings(prefix: str):
    configs = different(prefix)
    actors = streams.start(configs, together=4)
    (victim,) = processes(actors)
    ready = threading.Barrier(len(configs) + 1)

    def work(config: Config) -> Batches:
        source = streams.RayBatches(opened(actors, config))
        found = asked(source, config, range(4))
        source.prefetch([Need(config.data.sources[0], 4, range(config.data.batch))])  # on its way when it dies
        ready.wait(60)
        ready.wait(60)
        return found | asked(source, config, range(4, STEPS))

    def kill() -> None:
        ready.wait(60)
        os.kill(victim, signal.SIGKILL)
        ready.wait(60)

    killer = threading.Thread(target=kill)
    killer.start()
    found = each_in_a_thread(configs, work)
    killer.join()
    assert found == [by_itself(config) for config in configs]
    assert processes(actors) != {victim}


def test_totals_are_those_of_one_training_and_begin_again_after_it_is_closed(prefix: str):
    short, long = training(prefix, "short"), training(prefix, "long", seed=1)
    actors = streams.start([short, long], together=2)
    mine, other = opened(actors, short), opened(actors, long)
    asked(streams.RayBatches(mine), short, range(2))
    asked(streams.RayBatches(other), long, range(STEPS))
    counted, theirs = streams.totals(mine), streams.totals(other)
    ahead = 5 * 4  # up to four batches are decoded in advance
    for name in "OCI":
        assert 2 * 4 <= counted[name].samples <= 2 * 4 + ahead
        assert STEPS * 4 <= theirs[name].samples <= STEPS * 4 + ahead
    closed = streams.close(mine)
    assert all(closed[name].samples >= counted[name].samples for name in "OCI")
    assert all(found.samples == 0 for found in streams.totals(mine).values())
    asked(streams.RayBatches(mine), short, [2])
    assert all(4 <= found.samples <= 4 + ahead for found in streams.totals(mine).values())
    assert streams.totals(other).keys() == theirs.keys()


@pytest.mark.drill
def test_prometheus_counts_each_run_by_itself_through_pauses(prefix: str):
    paused, other = training(prefix, "counted-paused"), training(prefix, "counted-other", seed=1)
    actors = streams.start([paused, other], together=2)
    wanted = {}
    for config, stretches in ((paused, [range(3), range(3, 6)]), (other, [range(8)])):
        samples = 0
        for steps in stretches:
            mine = opened(actors, config)
            asked(streams.RayBatches(mine), config, steps)
            samples += streams.close(mine)["O"].samples
        wanted[config.run.name] = samples
    deadline = time.monotonic() + 60
    while (found := exported("ray_rfmeta_stream_samples_total", "O", wanted)) != wanted:
        assert time.monotonic() < deadline, f"{found} is exported, but {wanted} was read"
        time.sleep(0.5)


def exported(counter: str, domain: str, runs: Iterable[str]) -> dict[str, float]:
    """The counter's value of each of the runs, as this node's metrics endpoint gives it."""
    (node,) = ray.nodes()
    with urlopen(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics") as answer:
        lines = [line for line in answer.read().decode().splitlines() if line.startswith(counter)]
    return {
        run: sum(
            float(line.split()[-1]) for line in lines if f'run="{run}"' in line and f'domain="{domain}"' in line
        )
        for run in runs
    }


def test_forgotten_streams_are_freed_and_their_totals_kept(prefix: str):
    config, other = training(prefix, "forgotten"), training(prefix, "closed", seed=1)
    actors = dict.fromkeys("OCI", (ReadingActor.remote(idle_s=1.0),))
    mine = opened(actors, config)
    expected = by_itself(config)
    source = streams.RayBatches(mine)
    asked(source, config, range(3))
    counted = streams.totals(mine)
    assert reading_threads(actors) > 0
    deadline = time.monotonic() + 30
    while reading_threads(actors):
        assert time.monotonic() < deadline, "the streams' threads still run"
        time.sleep(0.2)
    resting = streams.totals(mine)
    assert all(resting[name].samples >= counted[name].samples for name in "OCI")
    # The training was not killed after all.
    assert asked(source, config, range(3, STEPS)) == {k: v for k, v in expected.items() if k[1] >= 3}
    assert all(found.samples >= STEPS * 4 for found in streams.close(mine).values())
    second = opened(actors, other)
    asked(streams.RayBatches(second), other, range(2))
    streams.close(second)
    assert reading_threads(actors) == 0  # at once, as nothing else is open


def test_a_damaged_shard_stops_only_the_trainings_that_read_it(prefix: str, tmp_path: Path):
    place = str(shutil.copytree(prefix, tmp_path / "shards"))
    shard = Manifest.open(open_store(place), "O").stream("train", 1)[0]
    file = Path(place, "O", shard.name)
    sound = file.read_bytes()
    file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    first, second = training(place, "first"), training(place, "second", seed=1)
    spared = training(place, "spared", "CI")
    actors = streams.start([first, second, spared], together=3)
    sources = {c.run.name: streams.RayBatches(opened(actors, c)) for c in (first, second, spared)}
    for config in (first, second, first):  # a second request for the same batch gets the same error
        with pytest.raises(DataError, match=shard.name):
            asked(sources[config.run.name], config, range(STEPS))
    assert asked(sources["spared"], spared, range(STEPS)) == by_itself(spared)
    file.write_bytes(sound)
    assert asked(sources["first"], first, range(STEPS)) == by_itself(first)


def test_four_trainings_fetch_each_shard_once(s3, tmp_path: Path):
    place = packed(f"s3://tests/{uuid4().hex}")
    configs = [training(place, f"run{n}", seed=n) for n in range(4)]
    steps = range(15)  # an epoch of 60 samples
    with proxy(s3.endpoint, Faults()) as watched:
        there = s3.environment | {"AWS_ENDPOINT_URL": watched.endpoint, "XDG_CACHE_HOME": str(tmp_path)}
        actors = dict.fromkeys("OCI", (ReadingActor.options(runtime_env={"env_vars": there}).remote(),))
        each_in_a_thread(configs, lambda c: asked(streams.RayBatches(opened(actors, c)), c, steps))
        read = [streams.close(opened(actors, config)) for config in configs]
    for name in "OCI":
        shards = [s for s in Manifest.open(open_store(place), name).shards if s.split == "train"]
        assert len(shards) > 3
        sent = sum(n for path, n in watched.sent.items() if path.endswith(".tar") and f"/{name}/" in path)
        assert sent <= 1.02 * sum(shard.size for shard in shards)
        assert sum(totals[name].bytes_read for totals in read) == sent
