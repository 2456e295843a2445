"""Measure what training on Ray costs over a bare loop that reads, decodes and trains on the same batches.

    python -m bench.overhead [--steps 60] [--rounds 5] [--workers 1 2] [--out FILE]

Blocks of the same steps alternate in the same worker processes, with the same networks:

looped  the loop of `rfmeta train`: batches from the reading actors, rows to the driver, counters, Ray Train
bare    plan, batches, step; each worker reads and decodes batches itself, one step ahead in a thread

Both read the shards in the repository, thousands of samples a domain, from S3 through the machine's cache,
which holds all of them before the clock starts.

thread  CPU time of the thread that trains, per step and worker
tree    CPU time of all processes, per step: workers, readers, Ray's own processes, the driver. For the bare
        blocks: of the workers alone, less what Ray's threads in a worker take while the worker sleeps, and
        less what a second worker takes to decode the same batches once more
wall    elapsed time per step
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from bench.processes import tree
from bench.result import give
from rfmeta_dist.cluster import fit, monitor, streams
from rfmeta_dist.cluster.meters import Begun, TrainMeter
from rfmeta_dist.cluster.session import session
from rfmeta_dist.cluster.worker import Assignment, News
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config, Data
from rfmeta_dist.config.shipped import DEMO_SHARDS
from rfmeta_dist.core.types import Episode, RawBatch, StepRow
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.domains import open_sources
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.copy import copy
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.episode.plan import Need, plan
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.models.preprocess import to_batch
from rfmeta_dist.storage.embedded import embedded_s3
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from rfmeta_dist.training.step import Trainer

PREFIX, SOURCES = "s3://bench/faces", "OCI"
SLEEP_S = 2.0
CPU = torch.device("cpu")


def configuration(folder: str, workers: int, steps: int, width: float, batch: int) -> Config:
    """Return the configuration of a run on patches of 64×64 pixels."""
    return check(
        {
            "run": {"name": f"overhead-{workers}", "folder": folder},
            "data": {
                "prefix": PREFIX,
                "sources": list(SOURCES),
                "target": "M",
                "view": "patches",
                "batch": batch,
            },
            "model": {"width": width},
            "training": {"steps": steps, "workers": workers, "checkpoint_every": 10**6},
        },
        "bench",
    )


class Own:
    """Batches that this process reads and decodes itself.

    Of each domain it decodes every batch, also those that only other workers need. `figures` takes that work
    off again.
    """

    def __init__(self, store: Store, manifests: Mapping[str, Manifest], data: Data, seed: int) -> None:
        self._batches = {
            name: enumerate(DomainStream.of_run(store, manifest, data, seed).batches())
            for name, manifest in manifests.items()
        }

    def batch(self, need: Need) -> RawBatch:
        """Return rows of a batch. Batches of a domain must be asked for in order."""
        return next(raw for index, raw in self._batches[need.domain] if index == need.index).rows(need.rows)

    def read(self, steps: int) -> None:
        """Decode as many batches of every domain."""
        for _ in range(steps):
            for batches in self._batches.values():
                next(batches)


def bare(config: Config, trainer: Trainer, source: Own, steps: range) -> None:
    """Train as a loop without Ray would: batches are decoded and made into tensors while a step computes."""

    def prepare(step: int) -> Work:
        now = plan(config, trainer.strategy.rank, step)
        batches = [[source.batch(need) if need else None for need in needs] for needs in now.needs]
        episodes = [Episode(tuple(to_batch(b, CPU) if b else None for b in raw)) for raw in batches]
        return list(zip(episodes, now.parts, strict=True))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(prepare, steps.start)
        for step in steps:
            work = coming.result()
            if step + 1 < steps.stop:
                coming = pool.submit(prepare, step + 1)
            trainer.step(work)


class Measured:
    """What a block of steps took, in seconds per step."""

    def __init__(self, steps: int, driver: int, barrier: Callable[[], None]) -> None:
        self._steps, self._driver, self._barrier = steps, driver, barrier

    def of(self, work: Callable[[], Any]) -> dict[str, Any]:
        """Call `work` and return its CPU and wall seconds per step."""
        self._barrier()
        before = tree(self._driver)
        clocks = time.thread_time, time.process_time, time.perf_counter
        started = [clock() for clock in clocks]
        work()
        taken = [(clock() - start) / self._steps for clock, start in zip(clocks, started, strict=True)]
        self._barrier()
        after = tree(self._driver)
        kinds = {kind: (after[kind] - before[kind]) / self._steps for kind in after}
        return {**dict(zip(("thread", "process", "wall"), taken, strict=True)), "kinds": kinds}


def measure(given: dict[str, Any]) -> None:
    """Run in each worker: alternate blocks of both kinds, and write what they took to a file."""
    config, block, task = given["config"], given["steps"], given["task"]
    torch.set_num_threads(1)
    trainer = build(config, make(config.training), CPU)
    news, meter, rows = (
        News(task, trainer),
        TrainMeter(config, "", Begun(trainer.strategy.rank, trainer.strategy.world, 0)),
        [],
    )

    def after_step(row: StepRow) -> None:
        news.tell(row)
        meter.step(row)
        rows.append(row)

    hooks = Hooks(after_step, lambda _: None, lambda *_: None)
    far, near, spare = streams.RayBatches(task.streams), Own(*given["local"]), Own(*given["local"])
    measured = Measured(block, given["driver"], lambda: float(trainer.strategy.sum(torch.zeros(1))))
    found: dict[str, list[Any]] = {"looped": [], "bare": [], "reading": [], "asleep": []}
    for turn in range(given["rounds"] + 1):
        done = turn * block
        until = config.model_copy(
            update={"training": config.training.model_copy(update={"steps": done + block})}
        )
        blocks = {
            "looped": lambda until=until, done=done: train(until, trainer, far, hooks, Progress(done), CPU),
            "bare": lambda done=done: bare(config, trainer, near, range(done, done + block)),
        }
        for name in sorted(blocks, reverse=turn % 2 == 0):
            found[name].append(measured.of(blocks[name]))
        found["reading"].append(measured.of(lambda: spare.read(block)))
        started = time.process_time()
        time.sleep(SLEEP_S)
        found["asleep"].append((time.process_time() - started) / SLEEP_S)
    rows = rows[block:]
    found["stalled"] = [sum(row["data_seconds"] for row in rows) / sum(row["seconds"] for row in rows)]
    Path(given["folder"], f"{trainer.strategy.rank}.json").write_text(json.dumps(found))


def run(config: Config, options: argparse.Namespace, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """Measure one number of workers, on a local cluster of its own, and return the figures."""
    store, data = open_store(PREFIX), config.data
    with tempfile.TemporaryDirectory() as folder, session(2, torch=True) as local:
        hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
        desk = monitor.start()
        opened = streams.opened(streams.start([config]), config, hashes)
        given = {
            "config": config,
            "task": Assignment(config, ("", ""), opened, desk, config.run.name, ""),
            "local": (store, manifests, data, config.training.seed),
            "driver": os.getpid(),
            "folder": folder,
            "steps": options.steps,
            "rounds": options.rounds,
        }
        with monitor.watched(desk, lambda _: None), fit.waiting(config, print):
            fit.trainer(measure, given, config, folder, local=local).fit()
        workers = [json.loads(Path(folder, f"{n}.json").read_text()) for n in range(config.training.workers)]
    return figures(workers)


def figures(workers: list[dict[str, list[Any]]]) -> dict[str, Any]:
    """Return medians over the rounds; the first round is not counted."""
    asleep = [statistics.median(worker["asleep"][1:]) for worker in workers]
    # Reading every batch in every worker is work that only the first of them has to do.
    reading = [statistics.median(one["process"] for one in worker["reading"][1:]) for worker in workers]
    twice = sum(reading[1:])
    rounds = []
    for n in range(1, len(workers[0]["bare"])):
        ours, plain = ([worker[name][n] for worker in workers] for name in ("looped", "bare"))
        idle = twice + sum(rate * one["wall"] for rate, one in zip(asleep, plain, strict=True))
        rounds.append(
            {
                "thread": tuple(sum(one["thread"] for one in each) / len(each) for each in (ours, plain)),
                "tree": (sum(ours[0]["kinds"].values()), sum(one["process"] for one in plain) - idle),
                "wall": (ours[0]["wall"], plain[0]["wall"]),
            }
        )
    found: dict[str, Any] = {}
    for name in ("thread", "tree", "wall"):
        pairs = [one[name] for one in rounds]
        found[name] = {
            "looped_ms": _ms(a for a, _ in pairs),
            "bare_ms": _ms(b for _, b in pairs),
            "overhead": round(statistics.median(a / b for a, b in pairs) - 1, 4),
            "overhead_of_rounds": [round(a / b - 1, 4) for a, b in pairs],
        }
    kinds = [worker["kinds"] for worker in workers[0]["looped"][1:]]
    names = sorted({name for one in kinds for name in one})
    found["looped_tree_ms"] = {name: _ms(one.get(name, 0.0) for one in kinds) for name in names}
    found["ray_in_sleeping_workers_ms_a_second"] = round(1000 * sum(asleep), 2)
    found["reading_ms"] = _ms([reading[0]])
    found["waiting_for_data"] = round(workers[0]["stalled"][0], 4)
    return found


def _ms(seconds: Any) -> float:
    return round(1000 * statistics.median(seconds), 2)


def main() -> None:
    """Print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="steps in a block")
    parser.add_argument("--rounds", type=int, default=5, help="blocks of each kind that are counted")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, embedded_s3(Path(folder) / "s3") as server:
        server.make_bucket("bench")
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        store = open_store(PREFIX)
        for name in SOURCES:
            copy(open_store(str(DEMO_SHARDS)), name, store)
        for workers in o.workers:
            config = configuration(folder, workers, o.steps * (o.rounds + 1), o.width, o.batch)
            manifests = open_sources(config)
            cache = Cache.of_node(PREFIX, config.data.cache_gb)
            for name, manifest in manifests.items():
                for shard in manifest.shards:
                    fetch(store.sub(name), shard, cache)
            result[f"{workers} worker(s)"] = run(config, o, manifests)
    give(result | {"settings": vars(o) | {"out": None}}, o.out)


if __name__ == "__main__":
    main()
