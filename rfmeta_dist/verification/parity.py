"""Prove that the steps of W workers equal those of one process, in a process group or with local processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from multiprocessing.connection import Connection
from typing import Literal, get_args

import torch
from torch import Tensor

from rfmeta_dist.config.methods import RULES, MetaTestMode
from rfmeta_dist.config.schema import Config, Method
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.launch import spawn
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.verification.small import KINDS, RATE, Figures, alone, compute, small

# Limit on relative differences in float64. Another order of summation changes less than 1e-12, and a wrong term
# changes more than 1e-6.
TOLERANCE = 1e-9
METHOD = {"inner_learning_rate": 0.1, "meta_test_weight": 0.7}  # large, so that second derivatives matter
ZERO = (1, 2)  # the stages of ZeRO that do not split parameters
CPU = torch.device("cpu")

Distributed = Literal["ddp", "deepspeed"]
STRATEGIES: tuple[Distributed, ...] = get_args(Distributed)
META_TESTS: tuple[MetaTestMode, ...] = get_args(MetaTestMode)
Differences = Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """The result of one proof.

    Attributes:
        config: the configuration whose step was proved.
        differences: the largest relative difference of any worker from one process, by `KINDS`.
    """

    config: Config
    differences: Differences

    @property
    def largest(self) -> float:
        """Return the largest relative difference over all kinds."""
        return max(self.differences.values())

    @property
    def passed(self) -> bool:
        """Return True if the differences of all kinds are within the limit."""
        return self.largest <= TOLERANCE

    def require(self) -> None:
        """Raise VerificationError, which names the kinds that differ, if a difference is above the limit."""
        wrong = [f"{kind} by {d:.1e}" for kind, d in self.differences.items() if not d <= TOLERANCE]
        if wrong:
            what = describe(self.config)
            raise VerificationError(
                f"{what} differs from one process by more than {TOLERANCE:.0e} on this machine "
                f"({', '.join(wrong)}), so models trained with this setting would be wrong",
                "set training.strategy=ddp, use another version of PyTorch, or set training.strategy=single "
                "and training.workers=1",
            )


def describe(config: Config) -> str:
    """Return a phrase that says what is proved, such as `rfmeta on 3 sources with 2 × ddp, shard`."""
    what, training = f"{config.method.name} on {config.shown_domains} sources", config.training
    return f"{what} with {training.workers} × {manner(training)}"


def manner(training: Training) -> str:
    """Return strategy, ZeRO stage and treatment of the meta-test batch, such as `deepspeed ZeRO-2, shard`."""
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
    """Return a configuration for every combination to prove, sorted by number of workers.

    A step has as many episodes as are needed to give every worker work. Strategies that a method does not
    support are left out. The stages of ZeRO are combined only with the first of `meta_tests` and the first of
    `sources`, because what ZeRO splits does not depend on them.

    Args:
        workers: numbers of workers.
        methods: names of learning rules.
        strategies: strategies.
        meta_tests: ways to forward the meta-test batch.
        sources: numbers of source domains.
        seed: seed of weights and episodes.
        domains: number of source domains in an episode; None for all.
    """
    ways = [("ddp", 0, m, n) for n in sources for m in meta_tests] if "ddp" in strategies else []
    ways += [("deepspeed", z, meta_tests[0], sources[0]) for z in ZERO] if "deepspeed" in strategies else []
    found = []
    for world, name, (strategy, zero, meta_test, count) in product(workers, methods, ways):
        facts = RULES[name]
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


def prove_locally(configs: Iterable[Config], device: torch.device = CPU) -> Iterator[Result]:
    """Run the proofs in order, in local processes.

    The processes are started once for each group of consecutive proofs with the same number of workers.

    Args:
        configs: what to prove.
        device: the device that all processes share.

    Raises:
        VerificationError: a process failed.
    """
    for world, group in groupby(configs, key=lambda c: c.training.workers):
        given = list(group)
        receive, send = torch.multiprocessing.get_context("spawn").Pipe(duplex=False)
        with ThreadPoolExecutor(1) as thread:
            processes = thread.submit(spawn, _serve, world, given, send, device)
            for config in given:
                while not receive.poll(0.1):
                    if processes.done():
                        processes.result()  # raises the error that ended the processes too early
                yield Result(config, receive.recv())
            processes.result()


def _serve(configs: list[Config], results: Connection, device: torch.device) -> None:
    """Run the proofs as one worker of `prove_locally`. Rank 0 sends each result as soon as it has it."""
    world, rank = configs[0].training.workers, make(configs[0].training).rank
    singles = list(dict.fromkeys(map(alone, configs)))
    references = {c: compute(c, Single(), device) for c in singles[rank::world]}  # others have the rest
    for config in configs:
        found = compare(config, make(config.training), device, references.get(alone(config)))
        if rank == 0:
            results.send(found)


def prove(config: Config, strategy: Strategy, device: torch.device) -> Result:
    """Compare the workers of this process group with one process. All workers must call this together."""
    reference = compute(alone(config), Single(), device) if strategy.rank == 0 else None
    return Result(config, compare(config, strategy, device, reference))


def compare(config: Config, strategy: Strategy, device: torch.device, reference: Figures | None) -> Differences:
    """Return the largest relative difference of any worker from the reference, by kind.

    All workers must call this together, and all get the same result.

    Args:
        config: the configuration to compute.
        strategy: a new strategy that has not taken a step.
        device: this worker's device.
        reference: the figures of one process, on one worker; None on all others, which get them from that
            worker.
    """
    figures = compute(config, strategy, device)
    known = reference or {k: torch.zeros_like(figures[k]) for k in KINDS}
    sizes = [len(figures[k]) for k in KINDS]
    told = torch.split(strategy.sum(torch.cat([known[k] for k in KINDS]).to(device)).cpu(), sizes)
    # Use the reference itself where it is known, not the one that went through `strategy.sum`. That operation
    # is one of those that are proved, and an error in it would change figures and reference alike.
    expected = reference or dict(zip(KINDS, told, strict=True))
    own = torch.tensor([_relative(figures[k], expected[k]) for k in KINDS], dtype=torch.float64)
    table = torch.zeros(strategy.world, len(KINDS), dtype=torch.float64)
    table[strategy.rank] = own
    every = strategy.sum(table.flatten().to(device)).cpu().view_as(table)
    return dict(zip(KINDS, torch.maximum(own, every.amax(dim=0)).tolist(), strict=True))


def _relative(found: Tensor, expected: Tensor) -> float:
    difference = float((found - expected).norm() / expected.norm())
    return difference if difference < float("inf") else float("inf")  # NaN counts as infinite
