"""W workers compute what one does: gradients, parameters after Adam, statistics. Real processes, float64."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.methods import RULES as FACTS
from rfmeta_dist.config.training import Training
from rfmeta_dist.episode.assign import parts_of
from rfmeta_dist.methods import METHODS, phases
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.step import Trainer
from tests import episodes
from tests.team import team

STEPS = 3


@dataclass(frozen=True)
class Case:
    """One computation, whoever makes it."""

    method: str = "rfmeta"
    domains: int = 3
    size: int = 4
    episodes: int = 1
    meta_test: str = "shard"
    activation_checkpointing: bool = False
    inner_steps: int = 1
    joint: bool = False
    clip: float | None = None
    seed: int = 0
    phase: int = -1


def trainer(case: Case, strategy: Strategy) -> Trainer:
    objective = episodes.objective(
        case.method,
        case.seed,
        case.activation_checkpointing,
        case.phase,
        inner_steps=case.inner_steps,
        aggregation_batch_norm="joint" if case.joint else "domain",
    )
    layout = episodes.work_split(
        objective, case.domains, case.size, strategy.world, case.episodes, meta_test=case.meta_test
    )
    return Trainer(objective, strategy, Adam(1e-3, case.clip, cosine=STEPS), layout)


def advance(run: Trainer, case: Case, start: int = 0, stop: int = STEPS) -> dict[str, Any]:
    """Some steps; the gradients of the first, and everything after the last."""
    result, gradients = {}, []

    def look() -> None:
        gradients.append(torch.cat([g.flatten() for g in run.strategy.gradient().values()]))

    for step in range(start, stop):
        work = episodes.work(run.work_split, run.strategy.rank, case.domains, step)
        parts = run.step(work, look)
        if step == start:
            result["gradient"] = torch.cat(gradients).numpy()
        result[f"parts {step}"] = torch.tensor(list(parts.values())).numpy()
    nets = run.objective.nets
    return result | {
        "parameters": episodes.parameters(nets).numpy(),
        "statistics": episodes.buffers(nets).numpy(),
    }


def run_with(strategy: str, case: Case) -> dict[str, Any]:
    return advance(trainer(case, make(Training(strategy=strategy))), case)


def alone(case: Case) -> dict[str, Any]:
    return advance(trainer(case, Single()), case)


def assert_agree(expected: dict[str, Any], ranks: list[dict[str, Any]], tolerance: float = 1e-9) -> None:
    for rank in ranks:
        for name, value in expected.items():
            difference = episodes.relative(torch.tensor(rank[name]), torch.tensor(value))
            assert difference < tolerance, (name, difference)
    for rank in ranks[1:]:
        for name in ("parameters", "statistics"):
            assert (rank[name] == ranks[0][name]).all(), f"{name} differ between workers"


CASES = st.builds(
    Case,
    method=st.sampled_from(list(METHODS)),
    domains=st.integers(2, 5),
    size=st.sampled_from([4, 6, 8]),
    episodes=st.integers(1, 3),
    meta_test=st.sampled_from(["shard", "replicate"]),
    activation_checkpointing=st.booleans(),
    joint=st.booleans(),
    seed=st.integers(0, 99),
)


@pytest.mark.parametrize("world", [2, 3])
@settings(max_examples=3, deadline=None)
@given(case=CASES)
@example(case=Case(domains=2, size=6, episodes=2))  # the meta-test batch is shared unevenly by three
def test_workers_agree_with_a_single_process(world, case):
    assert_agree(alone(case), team(world).run(run_with, "ddp", case))


@pytest.mark.drill
@pytest.mark.parametrize("world", [2, 3, 4, 5])
@settings(max_examples=25, deadline=None)
@given(case=CASES)
def test_any_number_of_workers_agrees_with_a_single_process(world, case):
    assert_agree(alone(case), team(world).run(run_with, "ddp", case))


# DeepSpeed forwards what DDP forwards: one method shows that its sums are right, the drill tries each.
ONE = {("ddp", method) for method in METHODS} | {("deepspeed", "rfmeta")}


@pytest.mark.parametrize(
    ("strategy", "method", "phase"),
    [
        pytest.param(strategy, method, phase, marks=() if (strategy, method) in ONE else pytest.mark.drill)
        for strategy in ("ddp", "deepspeed")
        for method in METHODS
        for phase in range(len(phases(method)))
        if strategy not in FACTS[method].refuses
    ],
)
def test_every_strategy_agrees_with_a_single_process(strategy, method, phase):
    case = Case(method, domains=4, size=6, episodes=2, phase=phase)
    assert_agree(alone(case), team(2).run(run_with, strategy, case))


def first_half(strategy: str, case: Case, folder: str) -> None:
    run = trainer(case, make(Training(strategy=strategy, workers=1 if strategy == "single" else 2)))
    advance(run, case, 0, 2)
    moments = run.strategy.moments()
    if run.strategy.rank == 0:
        checkpoint.save(open_store(folder), run, moments, Progress(2, ({"step": 0}, {"step": 1})), "f")


def second_half(strategy: str, case: Case, folder: str) -> dict[str, Any]:
    run = trainer(case, make(Training(strategy=strategy, workers=1 if strategy == "single" else 2)))
    assert checkpoint.restore(checkpoint.read(open_store(folder)), run, ["f"]).step == 2
    return advance(run, case, 2, 4)


@pytest.mark.parametrize(
    ("before", "after"),
    [(("ddp", 2), ("ddp", 3)), (("deepspeed", 2), ("ddp", 3)), (("ddp", 3), ("deepspeed", 2))],
)
def test_a_run_goes_on_with_another_number_of_workers_or_strategy(before, after, tmp_path):
    """Elastic: the checkpoint of W workers continues with W' to the same result, up to summation order."""
    case = Case(domains=4, size=6, episodes=2)
    team(before[1]).run(first_half, before[0], case, str(tmp_path))
    expected = advance(trainer(case, Single()), case, 0, 4)
    continued = team(after[1]).run(second_half, after[0], case, str(tmp_path))
    assert_agree({name: expected[name] for name in ("parameters", "statistics", "parts 3")}, continued)


def test_fewer_images_than_workers_are_not_sharded():
    splits = [episodes.work_split(episodes.objective("rfmeta"), 5, 4, world) for world in (4, 5)]
    rows = [[len(part.rows) for rank in range(x.world) for part in parts_of(rank, x)] for x in splits]
    assert rows == [[1] * 4, [4] * 5]


@pytest.mark.drill  # five processes, for a case that is among those of the drill above at times
def test_more_workers_than_images_agree_with_a_single_process():
    case = Case(domains=5, size=4)
    assert_agree(alone(case), team(5).run(run_with, "ddp", case))


def test_clipping_is_of_the_whole_gradient():
    case = Case(clip=1e-3)
    expected = alone(case)
    assert episodes.relative(*(torch.tensor(alone(c)["parameters"]) for c in (case, Case()))) > 1e-6
    assert_agree(expected, team(2).run(run_with, "ddp", case))


def gradient_sent_in_bf16(case: Case) -> Any:
    run = trainer(case, make(Training(bf16_reduce=True)))
    return advance(run, case, 0, 1)["gradient"]


def test_gradients_sent_in_bf16_have_about_three_digits():
    case = Case()
    expected = torch.tensor(alone(case)["gradient"])
    for rank in team(2).run(gradient_sent_in_bf16, case):
        assert 1e-4 < episodes.relative(torch.tensor(rank), expected) < 1e-2


def test_several_episodes_a_step_are_the_mean_of_their_objectives():
    """The gradient of a step of two is the mean of the gradients of its episodes, each alone."""
    case = Case(episodes=2)
    together = alone(case)["gradient"]
    run = trainer(dataclasses.replace(case, episodes=1), Single())
    gradients = []
    for seed in (0, 1):
        run.gradient(episodes.work(run.work_split, 0, case.domains, seed))
        gradients.append(torch.cat([g.flatten() for g in run.strategy.gradient().values()]))
        run.strategy.discard()
    assert episodes.relative(torch.tensor(together), (gradients[0] + gradients[1]) / 2) < 1e-12
