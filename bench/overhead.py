"""Measure what the Ray Train loop costs over a bare loop, and how much of its time it waits for data.

    python -m bench.overhead [--steps 100] [--rounds 3] [--out FILE]

A step takes about 50 ms. In one Ray Train worker, blocks of steps through the real loop alternate with blocks
of the same steps on batches in memory, with no loop around them. The real loop reads batches from the domain
actors and S3, and sends each step's row to the monitor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train.torch import TorchTrainer

from bench.result import give
from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.session import session
from rfmeta_dist.cluster.worker import Assignment, News
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import Episode, StepRow
from rfmeta_dist.data.reading.domains import open_sources
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.episode.plan import plan
from rfmeta_dist.models.preprocess import to_batch
from rfmeta_dist.storage.embedded import embedded_s3
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import generate
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.loop import Hooks, build, train

PREFIX = "s3://bench/faces"


def configuration(folder: str, steps: int) -> Config:
    """Generate domains at 32×32 on S3 and return a configuration for one worker; a step takes about 50 ms."""
    for name in "OCI":
        pack(generate(name, SCALES["tiny"], 0), open_store(PREFIX), name, contract={"seed": 0})
    return check(
        {
            "run": {"name": "overhead", "folder": folder},
            "data": {
                "prefix": PREFIX,
                "sources": ["O", "C", "I"],
                "target": "M",
                "image_size": 32,
                "batch": 8,
                "cache_gb": 0,
            },
            "model": {"width": 0.15},
            "training": {"steps": steps, "workers": 1, "strategy": "single", "checkpoint_every": 10**6},
        },
        "bench",
    )


def measure(given: dict[str, Any]) -> None:
    """Run in the worker: alternate blocks of both kinds, and report their seconds per step."""
    config, block, rounds = given["config"], given["steps"], given["rounds"]
    torch.set_num_threads(1)
    device = torch.device("cpu")
    trainer = build(config, make(config.training), device)
    source = streams.RayBatches(given["actors"])
    assignment = Assignment(config, "", given["actors"], given["monitor"], "overhead")
    news, rows = News(assignment, trainer), []

    def after_step(row: StepRow) -> None:
        news.tell(row)
        rows.append(row)

    hooks = Hooks(after_step, lambda _: None, lambda *_: None)
    now = plan(config, 0, 0)
    raw = [source.batch(need) for need in now.needs[0] if need]
    work = [(Episode(tuple(to_batch(b, device) for b in raw)), now.parts[0])]
    looped, bare, done = [], [], 0
    for _ in range(rounds + 1):
        done += block
        until = config.model_copy(update={"training": config.training.model_copy(update={"steps": done})})
        started = time.perf_counter()
        train(until, trainer, source, hooks, Progress(done - block), device)
        looped.append((time.perf_counter() - started) / block)
        started = time.perf_counter()
        for _ in range(block):
            trainer.step(work)
        bare.append((time.perf_counter() - started) / block)
    stalled = sum(row["data_seconds"] for row in rows[block:]) / sum(row["seconds"] for row in rows[block:])
    ray.get(given["results"].push.remote([{"looped": looped[1:], "bare": bare[1:], "stalled": stalled}]))


def main() -> None:
    """Print and write the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="steps in a block")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, embedded_s3(Path(folder) / "s3") as server, session(2):
        server.make_bucket("bench")
        config = configuration(folder, o.steps * (o.rounds + 1))
        hashes = {name: manifest.fingerprint for name, manifest in open_sources(config).items()}
        results = start_monitor()
        TorchTrainer(
            measure,
            train_loop_config={
                "config": config,
                "actors": streams.start(config, hashes),
                "monitor": start_monitor(),
                "results": results,
                "steps": o.steps,
                "rounds": o.rounds,
            },
            scaling_config=ray.train.ScalingConfig(num_workers=1),
            run_config=ray.train.RunConfig(name="overhead", storage_path=folder),
        ).fit()
        (row,) = ray.get(results.drain.remote())
    ratios = sorted(a / b for a, b in zip(row["looped"], row["bare"], strict=True))
    result = {
        "bare_ms": round(1000 * min(row["bare"]), 2),
        "looped_ms": round(1000 * min(row["looped"]), 2),
        "overhead_median": round(ratios[len(ratios) // 2] - 1, 4),
        "overhead_of_fastest": round(min(row["looped"]) / min(row["bare"]) - 1, 4),
        "waiting_for_data": round(row["stalled"], 4),
        "settings": vars(o) | {"out": None},
    }
    give(result, o.out)


if __name__ == "__main__":
    main()
