"""The steps of W workers equal those of one process: the comparison, and local workers to make it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from multiprocessing.connection import Connection
from typing import Literal, get_args

import torch
from torch import Tensor

from rfmeta_dist.config.methods import METHODS, MetaTestMode
from rfmeta_dist.config.schema import Config, Method
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.launch import spawn
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.verification.small import KINDS, RATE, Figures, alone, compute, small

TOLERANCE = 1e-9  # of float64: sums in another order stay below 1e-12, a wrong term shows from 1e-6 up
METHOD = {"inner_learning_rate": 0.1, "meta_test_weight": 0.7}  # large enough that second derivatives weigh in
ZERO = (1, 2)  # stages of ZeRO that leave parameters whole
CPU = torch.device("cpu")

Distributed = Literal["ddp", "deepspeed"]
STRATEGIES: tuple[Distributed, ...] = get_args(Distributed)
META_TESTS: tuple[MetaTestMode, ...] = get_args(MetaTestMode)
Differences = Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """What came of one proof.

    Attributes:
        config: what was proved.
        differences: the largest relative difference of any worker, by `KINDS`.
    """

    config: Config
    differences: Differences

    @property
    def largest(self) -> float:
        """The largest relative difference over all kinds."""
        return max(self.differences.values())

    @property
    def passed(self) -> bool:
        """Whether every kind agrees."""
        return self.largest <= TOLERANCE

    def require(self) -> None:
        """Raises VerificationError, which names what differs, if anything does."""
        wrong = [f"{kind} by {d:.1e}" for kind, d in self.differences.items() if not d <= TOLERANCE]
        if wrong:
            what = describe(self.config)
            raise VerificationError(
                f"{what} differs from one process by more than {TOLERANCE:.0e}: {', '.join(wrong)}",
                "models trained with this setting would be wrong: set training.strategy=ddp, use another "
                "version of PyTorch, or set training.strategy=single and training.workers=1",
            )


def describe(config: Config) -> str:
    """What is proved, in a few words."""
    what, training = f"{config.method.name} on {config.shown_domains} sources", config.training
    return f"{what} with {training.workers} × {manner(training)}"


def manner(training: Training) -> str:
    """A strategy, its ZeRO stage and its way with the meta-test batch, such as `deepspeed ZeRO-2, shard`."""
    stage = f" ZeRO-{training.zero}" if training.strategy == "deepspeed" else ""
    return f"{training.strategy}{stage}, {training.meta_test}"


def cases(
    workers: Iterable[int],
    methods: Iterable[str],
    strategies: Sequence[Distributed],
    meta_tests: Sequence[MetaTestMode],
    sources: Sequence[int],
    seed: int,
    *,
    domains: int | None = None,
) -> list[Config]:
    """Every combination, by number of workers; as many episodes a step as keep all workers busy.

    An episode has `domains` of the sources, or all of them if that is not given.

    Strategies that a method refuses are left out. What ZeRO cuts into pieces depends neither on who forwards
    the meta-test batch nor on the number of sources: its stages are combined with the first of each alone.
    """
    ways = [("ddp", 0, m, n) for n in sources for m in meta_tests] if "ddp" in strategies else []
    ways += [("deepspeed", z, meta_tests[0], sources[0]) for z in ZERO] if "deepspeed" in strategies else []
    found = []
    for world, name, (strategy, zero, meta_test, count) in product(workers, methods, ways):
        facts = METHODS[name]
        if strategy in facts.refuses:
            continue
        training = {
            "steps": 3,
            "learning_rate": RATE,
            "seed": seed,
            "episodes": -(-world // facts.most_workers(domains or count, meta_test)),
            "workers": world,
            "strategy": strategy,
            "zero": zero,
            "meta_test": meta_test,
        }
        method = Method.model_validate({"name": name, **METHOD})
        found.append(small(method, Training.model_validate(training), count, batch=world + 4, domains=domains))
    return found


def prove_locally(configs: Iterable[Config]) -> Iterator[Result]:
    """Prove one after the other in local processes, started once for each number of workers in a row.

    Raises:
        VerificationError: a process failed.
    """
    for world, group in groupby(configs, key=lambda c: c.training.workers):
        given = list(group)
        receive, send = torch.multiprocessing.get_context("spawn").Pipe(duplex=False)
        with ThreadPoolExecutor(1) as thread:
            processes = thread.submit(spawn, _serve, world, given, send)
            for config in given:
                while not receive.poll(0.1):
                    if processes.done():
                        processes.result()  # raises what ended them too early
                yield Result(config, receive.recv())
            processes.result()


def _serve(configs: list[Config], results: Connection) -> None:
    """One worker of `prove_locally`; rank 0 tells the results as they come."""
    world, rank = configs[0].training.workers, make(configs[0].training).rank
    singles = list(dict.fromkeys(map(alone, configs)))
    references = {c: compute(c, Single(), CPU) for c in singles[rank::world]}  # the rest is with the others
    for config in configs:
        found = compare(config, make(config.training), CPU, references.get(alone(config)))
        if rank == 0:
            results.send(found)


def prove(config: Config, strategy: Strategy, device: torch.device) -> Result:
    """Compare the workers of this process group, all of which must call it together, with one process."""
    reference = compute(alone(config), Single(), device) if strategy.rank == 0 else None
    return Result(config, compare(config, strategy, device, reference))


def compare(config: Config, strategy: Strategy, device: torch.device, reference: Figures | None) -> Differences:
    """The largest relative difference of any worker, by kind, the same on each; they call it together.

    Args:
        config: what to compute.
        strategy: fresh.
        device: this worker's.
        reference: what one process computes, on the worker that knows it; the others are told.
    """
    figures = compute(config, strategy, device)
    known = reference or {k: torch.zeros_like(figures[k]) for k in KINDS}
    sizes = [len(figures[k]) for k in KINDS]
    told = torch.split(strategy.sum(torch.cat([known[k] for k in KINDS]).to(device)).cpu(), sizes)
    # `sum` is part of what is proved, and must not hide its own mistakes: who knows better does not trust it.
    expected = reference or dict(zip(KINDS, told, strict=True))
    own = torch.tensor([_relative(figures[k], expected[k]) for k in KINDS], dtype=torch.float64)
    table = torch.zeros(strategy.world, len(KINDS), dtype=torch.float64)
    table[strategy.rank] = own
    every = strategy.sum(table.flatten().to(device)).cpu().view_as(table)
    return dict(zip(KINDS, torch.maximum(own, every.amax(dim=0)).tolist(), strict=True))


def _relative(found: Tensor, expected: Tensor) -> float:
    difference = float((found - expected).norm() / expected.norm())
    return difference if difference < float("inf") else float("inf")  # not a number is as bad as can be
