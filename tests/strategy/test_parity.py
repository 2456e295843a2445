"""W workers compute what one does: gradients, parameters after Adam, statistics. Real gloo processes."""

import pytest
import torch

from rfmeta_dist.episode.assign import tasks_of
from rfmeta_dist.methods import METHODS
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.ddp import DDP
from rfmeta_dist.strategy.launch import spawn
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from tests import episodes

STEPS = 3


def run(method: str, domains: int, strategy: Strategy) -> dict[str, torch.Tensor]:
    """Three steps; the gradient of the first, then everything after the last."""
    objective = episodes.objective(method)
    trainer = Trainer(objective, strategy, rate=1e-3)
    tasks = tasks_of(strategy.rank, strategy.world, objective.tasks(domains))
    result = {}
    for step in range(STEPS):
        parts = trainer.step(episodes.episode(domains, step), tasks)
        if step == 0:
            result["gradient"] = episodes.gradient(objective.nets)
        result[f"parts {step}"] = torch.tensor(list(parts.values()))
    return result | {
        "parameters": episodes.parameters(objective.nets),
        "statistics": episodes.buffers(objective.nets),
    }


CASES = {2: [(m, n) for m in METHODS for n in (3, 4)], 3: [(m, 4) for m in METHODS]}


def run_ddp(cases: list[tuple[str, int]]) -> list[dict[str, list[float]]]:
    return [{name: t.tolist() for name, t in run(*case, DDP()).items()} for case in cases]


@pytest.fixture(scope="module", params=CASES)
def runs(request):
    """Every case of one world size, by rank; processes are slow to start, so one group runs them all."""
    world = request.param
    return CASES[world], spawn(run_ddp, world, CASES[world])


def test_workers_agree_with_a_single_process(runs):
    cases, ranks = runs
    for k, case in enumerate(cases):
        alone = run(*case, Single())
        for rank in ranks:
            for name, value in alone.items():
                got = torch.tensor(rank[k][name], dtype=torch.float64)
                assert episodes.relative(got, value.double()) < 1e-9, (case, name)


def test_weights_and_statistics_are_the_same_bits_on_every_worker(runs):
    cases, ranks = runs
    for k, case in enumerate(cases):
        for rank in ranks[1:]:
            assert rank[k]["statistics"] == ranks[0][k]["statistics"], case
            assert rank[k]["parameters"] == ranks[0][k]["parameters"], case
