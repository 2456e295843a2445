"""Measure what more workers bring: time against one worker, and the work of F per worker against the ideal.

    python -m bench.scaling [--size 128] [--width 0.5] [--images 6] [--rounds 3] [--out FILE]

Time: each worker has one thread and one core, and numbers of workers alternate within one run. Operations:
every convolution of F that a worker really computes, forward and backward, is counted as it happens, in units
of the work for one domain.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.result import give
from bench.step import batches
from rfmeta_dist.config.schema import Method
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.types import Episode
from rfmeta_dist.episode.assign import WorkSplit, parts_of
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.methods.rules.rfmeta import RFMeta
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.launch import spawn
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer

aten = torch.ops.aten


class Convolutions(TorchDispatchMode):
    """Count the multiplications and additions of convolutions that use these weights."""

    def __init__(self, weights: set[int]) -> None:
        super().__init__()
        self.weights = weights
        self.flop = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation if it is such a convolution, and run it."""
        if func in (aten.convolution.default, aten.convolution_backward.default):
            backward = func is aten.convolution_backward.default
            x, w = args[1:3] if backward else args[:2]
            if w.data_ptr() in self.weights:
                passes = sum(args[-1][:2]) if backward else 1
                self.flop += passes * 2 * x.numel() // x.shape[1] * w.numel()
        return func(*args, **(kwargs or {}))


def trainer(strategy: Strategy, domains: int, width: float, images: int, meta_test: Any) -> Trainer:
    """Return a trainer of RFMeta on networks of this size."""
    objective = RFMeta(Networks(width).initialise(0), Method())
    work_split = WorkSplit(strategy.world, 1, objective.facts.count(domains), images, meta_test)
    return Trainer(objective, strategy, Adam(1e-3), work_split)


def share(run: Trainer, domains: int, size: int, images: int) -> Work:
    """Return this worker's part of an episode of random images."""
    (part,) = parts_of(run.strategy.rank, run.work_split)
    *train, test = batches(size, images, domains)
    return [(Episode((*train, test.rows(part.rows))), part)]


def strategy_of(world: int) -> Strategy:
    """Return the strategy for a number of workers, and give this worker one core."""
    torch.set_num_threads(1)
    strategy = Single() if world == 1 else make(Training())
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[strategy.rank % len(cores)]})
    return strategy


def timed(world: int, size: int, width: float, images: int, steps: int, meta_test: str) -> list[float]:
    """Return the seconds of each step after a first one that is not counted."""
    run = trainer(strategy_of(world), 3, width, images, meta_test)
    work, seconds = share(run, 3, size, images), []
    for _ in range(steps + 1):
        started = time.perf_counter()
        run.step(work)
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def counted(world: int, domains: int, images: int, meta_test: str) -> float:
    """Return F's operations of this worker in a step, in units of one domain's forward and backward pass."""
    run = trainer(strategy_of(world), domains, 0.125, images, meta_test)
    nets = run.objective.nets
    assert isinstance(nets, Networks)
    weights = {p.data_ptr() for p in nets.F.parameters()}
    with Convolutions(weights) as unit:
        features = nets.F(batches(64, images, 1)[0].image)
        (features.deep.sum() + features.shallow.sum()).backward()
    work = share(run, domains, 64, images)
    with Convolutions(weights) as whole:
        run.step(work)
    return whole.flop / unit.flop


def main() -> None:
    """Print and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--images", type=int, default=6, help="images of each domain in a step")
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    cases = [(1, "shard"), (2, "shard"), (2, "replicate"), (4, "shard")]
    seconds: dict[tuple[int, str], list[float]] = {case: [] for case in cases}
    for _ in range(o.rounds):
        for world, meta_test in cases:
            ranks = spawn(timed, world, world, o.size, o.width, o.images, o.steps, meta_test)
            seconds[world, meta_test] += [max(step) for step in zip(*ranks, strict=True)]
    alone = min(seconds[1, "shard"])
    times = [
        {"workers": w, "meta_test": m, "seconds": round(min(s), 3), "speed_up": round(alone / min(s), 2)}
        for (w, m), s in seconds.items()
    ]
    operations = []
    for domains in (3, 4, 6):
        for meta_test in ("shard", "replicate"):
            most = max(spawn(counted, domains - 1, domains - 1, domains, 20, meta_test))
            ideal = domains / (domains - 1)
            operations.append(
                {
                    "domains": domains,
                    "workers": domains - 1,
                    "meta_test": meta_test,
                    "units_per_worker": round(most, 4),
                    "over_ideal": round(most / ideal, 4),
                }
            )
    note = f"{os.cpu_count()} cores; more workers than cores take turns"
    result = {"cores": note, "settings": vars(o) | {"out": None}, "time": times, "operations": operations}
    give(result, o.out)


if __name__ == "__main__":
    main()
