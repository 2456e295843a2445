"""Compare reading actors that several trainings share with actors of each training's own.

    python -m bench.readers [--trainings 4] [--steps 150] [--rounds 3] [--out FILE]

Trainings of different seeds read the shards in the repository at the same time, from an S3 server through the
machine's cache, which is emptied before each block. Nothing is trained: a thread asks for the batches of each
training, as its worker would. Blocks of the two ways alternate in one run:

own     each training starts actors, as `rfmeta train` does
shared  the actors are started once for all trainings, as a study does

processes        reading processes while all trainings read
MB               their memory (PSS), all streams open, at the end of the block
MB_closed        the same after the streams were closed
first_s          seconds until a training that starts beside the others has its first batches
CPU_s            CPU time of the reading processes, without their start
bytes_to_stored  bytes of shards that came from the server, over the bytes of the shards in the training split
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import ray

from bench.result import give
from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.session import session
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.shipped import DEMO_SHARDS
from rfmeta_dist.data.shards.copy import copy
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.episode.plan import PREFETCH, plan
from rfmeta_dist.storage.embedded import embedded_s3
from rfmeta_dist.storage.store import open_store

PREFIX, DOMAINS = "s3://bench/faces", "OCIM"


def configuration(number: int) -> Config:
    """Return the configuration of a training of one worker that leaves out one domain."""
    target = DOMAINS[number % len(DOMAINS)]
    return check(
        {
            "run": {"name": f"readers-{number}"},
            "data": {
                "prefix": PREFIX,
                "sources": [name for name in DOMAINS if name != target],
                "target": target,
                "view": "patches",
            },
            "training": {"workers": 1, "seed": number},
        },
        "bench",
    )


def read(config: Config, opened: streams.Streams, steps: int) -> float:
    """Request the batches of a training, prefetched as its worker would; return the seconds up to step 1."""
    source, begun, first = streams.RayBatches(opened), time.perf_counter(), 0.0
    needs = [[n for part in plan(config, 0, step).needs for n in part if n] for step in range(steps + PREFETCH)]
    for step in range(PREFETCH):
        source.prefetch(needs[step])
    for step in range(steps):
        source.prefetch(needs[step + PREFETCH])
        for need in needs[step]:
            source.batch(need)
        first = first or time.perf_counter() - begun
    return first


def memory(processes: Sequence[psutil.Process]) -> float:
    """Return the proportional set size of some processes in megabytes."""
    return sum(process.memory_full_info().pss for process in processes) / 1e6


def seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the CPU seconds that some processes have taken."""
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def block(shared: bool, configs: Sequence[Config], hashes: dict[str, str], steps: int) -> dict[str, float]:
    """Let all trainings read at the same time, and return what it took."""
    common = streams.start(configs, len(configs)) if shared else None
    every = [streams.opened(common or streams.start([c]), c, hashes) for c in configs[:-1]]
    with ThreadPoolExecutor(len(configs)) as pool:
        # The last training starts while the others are under way.
        reading = [pool.submit(read, c, opened, 5) for c, opened in zip(configs, every, strict=False)]
        for one in reading:
            one.result()
        begun = time.perf_counter()
        every.append(streams.opened(common or streams.start([configs[-1]]), configs[-1], hashes))
        started = time.perf_counter() - begun
        first = started + read(configs[-1], every[-1], 5)
        actors = {actor for opened in every for actor in opened.actors.values()}
        found = ray.get([actor.__ray_call__.remote(lambda _: os.getpid()) for actor in actors])
        processes = [psutil.Process(one) for one in found]
        before = seconds(processes)
        list(pool.map(read, configs, every, [steps] * len(configs)))
    cpu, megabytes = seconds(processes) - before, memory(processes)
    totals = [streams.close(opened) for opened in every]
    time.sleep(0.5)
    fetched = sum(one.bytes_read for training in totals for one in training.values())
    return {
        "processes": len(processes),
        "MB": megabytes,
        "MB_closed": memory(processes),
        "first_s": first,
        "CPU_s": cpu,
        "bytes": fetched,
    }


def run(o: argparse.Namespace, cache: Path) -> dict[str, Any]:
    """Return medians over the rounds, and the ratios of the two ways."""
    store = open_store(PREFIX)
    for name in DOMAINS:
        copy(open_store(str(DEMO_SHARDS)), name, store)
    manifests = {name: Manifest.open(store, name) for name in DOMAINS}
    hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
    configs = [configuration(number) for number in range(o.trainings)]
    used = {name for config in configs for name in config.data.sources}
    stored = sum(s.size for name in used for s in manifests[name].shards if s.split == "train")
    rounds: list[dict[str, dict[str, float]]] = []
    for turn in range(o.rounds):
        found = {}
        for way in sorted(("own", "shared"), reverse=turn % 2 == 1):
            shutil.rmtree(cache, ignore_errors=True)
            found[way] = block(way == "shared", configs, hashes, o.steps)
            found[way]["bytes_to_stored"] = found[way].pop("bytes") / stored
            time.sleep(2)  # the actors end
        rounds.append(found)

    def middle(way: str, name: str) -> float:
        return round(statistics.median(one[way][name] for one in rounds), 3)

    names = list(rounds[0]["own"])
    return {
        "own": {name: middle("own", name) for name in names},
        "shared": {name: middle("shared", name) for name in names},
        "shared_to_own": {
            name: round(statistics.median(one["shared"][name] / one["own"][name] for one in rounds), 3)
            for name in names
        },
        "stored_MB": round(stored / 1e6, 1),
        "settings": vars(o) | {"out": None},
    }


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trainings", type=int, default=4)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded_s3(Path(folder) / "s3") as server:
        server.make_bucket("bench")
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        with session(4):
            result = run(o, Path(folder) / "cache" / "rfmeta")
    give(result, o.out)


if __name__ == "__main__":
    main()
