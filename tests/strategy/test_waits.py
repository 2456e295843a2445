"""What a training step asks of a GPU that makes it wait: copies to the host, and exchanges between workers.

A step runs on tensors without data, on the device `meta`, and its operators are counted. So no GPU is needed:
what would read a value back from a GPU reads it from `meta`, and the counter answers instead. Exchanges go to
PyTorch's process group without peers. DDP itself waits once more in each step, for its map of unused
parameters, in C++ code that cannot be counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import TorchDispatchMode

from rfmeta_dist.config.methods import RULES as FACTS
from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkSplit, parts_of
from rfmeta_dist.methods import METHODS, phases
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.methods.base.turns import Setting
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy import groups
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer

ROWS, SIZE = 4, 64
aten = torch.ops.aten


class Counted(TorchDispatchMode):
    """Counts what waits, what is exchanged, and what draws random numbers; gives values that no device has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        on_device = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
        # A generator that is passed explicitly is made anew for each draw (`Objective.random`).
        if torch.Tag.nondeterministic_seeded in function.tags and kwargs.get("generator") is None:
            self.found["draws"] += 1
        if function.namespace == "c10d":
            self.found["exchanges"] += 1
            self.found["bytes"] += sum(t.numel() * t.element_size() for t in args[0])
        if function is aten._local_scalar_dense.default and on_device:
            self.found["waits"] += 1
            return 1.0
        if function is aten._to_copy.default and on_device and kwargs.get("device") == torch.device("cpu"):
            self.found["waits"] += 1
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if function is aten.batch_norm_update_stats.default:  # meta does not have it, GPUs do
            return tuple(args[0].new_empty(args[0].shape[1]) for _ in range(2))
        return function(*args, **kwargs)


class FirstOfTwo(Single):
    """Rank 0 of two workers that share the meta-test batch, as with DDP, whose own reduction is left out."""

    world = 2

    def peers(self, given: Any) -> Any:
        return groups.peers(0, given)

    def sum(self, record: Tensor) -> Tensor:
        dist.all_reduce(record)
        return record


@pytest.fixture
def pair() -> Iterator[None]:
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield
    dist.destroy_process_group()


def counted(
    world: int, domains: int, method: str = "rfmeta", clip: float | None = None, phase: int = -1
) -> Counter[str]:
    """Return the counts of one step, and its number of turns."""
    rule, kind = Method.model_validate({"name": method}), phases(method)[phase]
    facts, setting = FACTS[method], Setting(domains=domains)
    split = WorkSplit(
        world, 1, facts.count(domains), ROWS, cost=len(facts.needs(0, domains)), tested=facts.meta_test
    )
    part = parts_of(0, split)[0]
    extra = kind.extra_modules(Model(width=0.05), rule, setting)
    nets = Networks(0.05, second_order=rule.facts.second_order, extra=extra).to("meta")
    strategy = FirstOfTwo() if world == 2 else Single()
    trainer = Trainer(kind(nets, rule, setting=setting), strategy, Adam(1e-3, clip), split)
    tested = len(part.rows) if facts.meta_test else ROWS
    batches = [batch(rows) for rows in (*[ROWS] * (domains - 1), tested)]
    work: Work = [(Episode(tuple(batches), tuple(range(domains))), part)]
    with Counted() as counter:
        parts = trainer.step(work)
    assert parts.keys() > {"loss", "gradient_norm"}
    return counter.found | Counter(turns=trainer.turns)


def batch(rows: int) -> Batch:
    made = [
        torch.empty(rows, *shape, device="meta") for shape in ((6, SIZE, SIZE), (1, SIZE // 8, SIZE // 8), ())
    ]
    return Batch(*made)


@pytest.mark.parametrize(
    ("method", "phase"), [(name, phase) for name in METHODS for phase in range(len(phases(name)))]
)
def test_each_turn_of_every_method_waits_once_and_draws_nothing(method: str, phase: int):
    """As nothing is drawn, a checkpoint needs no state of the device's random numbers."""
    found = counted(1, 3, method, phase=phase)
    assert (found["waits"], found["draws"]) == (found["turns"], 0)


@pytest.mark.parametrize("domains", [3, 8, 40])
def test_workers_wait_once_and_exchange_what_the_plan_does_not_know_however_many_domains(
    pair: None, domains: int
):
    """They exchange statistics of 13 layers of F and D, forward and backward; features with labels; their
    gradient; the record.
    """
    found = counted(2, domains)
    assert (found["waits"], found["exchanges"]) == (1, 2 * 13 + 3)


def test_clipping_does_not_wait():
    assert counted(1, 3, clip=1.0)["waits"] == 1


def test_the_counter_sees_what_waits():
    x = torch.ones(3, device="meta")
    with Counted() as counter:
        float(x.sum())
        bool(x[0] > 0)
        x.tolist()
        x.to("cpu")
    assert counter.found["waits"] == 4
