"""Correct strategies get a certificate; every strategy that computes something else raises an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rfmeta_dist.config.methods import RULES as METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.core.types import Peers
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.ddp import DDP
from rfmeta_dist.verification import certificate
from rfmeta_dist.verification.certificate import Certificate, Proofs
from tests.episodes import owned
from tests.team import team

CPU = torch.device("cpu")


def config(
    sources: int = 3,
    batch: int = 20,
    backbone: str = "paper",
    method: dict[str, Any] | None = None,
    domains: int | None = None,
    **training: Any,
) -> Config:
    return Config.model_validate(
        {
            "run": {"name": "run"},
            "data": {"prefix": "x", "sources": list("ABCDE"[:sources]), "target": "T", "batch": batch},
            "model": {"backbone": backbone},
            "method": method or {},
            "episode": {"domains": domains},
            "training": training,
        }
    )


class Averages(DDP):
    """A wrong DDP: it leaves out the factor W, so the gradient is a mean instead of a sum."""

    def backward(self, loss: Tensor) -> None:
        loss.backward()


class DropsAShare(DDP):
    """A wrong strategy: rank 1 contributes zeros to the reduction."""

    def backward(self, loss: Tensor) -> None:
        super().backward(loss * (self.rank != 1))


class DropsARecord(DDP):
    """A wrong strategy: the statistics of rank 1 are lost."""

    def sum(self, record: Tensor) -> Tensor:
        return super().sum(record * (self.rank != 1))


class AveragesRecords(DDP):
    """A wrong strategy: `sum`, which also collects the proof's result, returns a mean on every worker."""

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def sum(self, record: Tensor) -> Tensor:
        return super().sum(record) / self.world


class StepsApart(DDP):
    """A wrong strategy: rank 1 does not clip the gradient."""

    def update(self, rate: float, turn: int = 0) -> None:
        self._clip = None if self.rank == 1 else self._clip
        super().update(rate, turn)


class Rounding:
    """Peers that exchange float32 instead of float64."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers

    def sum(self, tensor: Tensor) -> Tensor:
        return self.peers.sum(tensor.float()).to(tensor)


class RoundsForPeers(DDP):
    """A wrong strategy: what workers exchange for a shared meta-test batch is rounded."""

    def peers(self, groups: Sequence[range]) -> Peers | None:
        peers = super().peers(groups)
        return peers and Rounding(peers)


BROKEN = {
    b.__name__: b for b in (Averages, DropsAShare, DropsARecord, AveragesRecords, StepsApart, RoundsForPeers)
}


def prove(run: Config, broken: str | None = None) -> Certificate:
    def chosen(training: Any) -> Strategy:
        return BROKEN[broken]() if broken else make(training)

    return certificate.prove(run, CPU, chosen)


def refusal(run: Config, broken: str) -> str:
    try:
        prove(run, broken)
    except VerificationError as error:
        return str(error)
    return "certified"


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("Averages", "gradient"),
        ("DropsAShare", "gradient"),
        ("DropsARecord", "statistics"),
        ("AveragesRecords", "gradient"),
        ("StepsApart", "parameters"),
        ("RoundsForPeers", "gradient"),
    ],
)
def test_a_broken_strategy_is_refused_on_every_worker_and_the_figure_named(broken, named):
    refusals = team(2).run(refusal, config(clip=1e-3), broken)
    for line in refusals:
        assert "rfmeta on 3 sources with 2 × ddp, shard differs from one process" in line
        assert f"{named} by" in line
        assert "training.strategy=single" in line


RUNS = st.builds(
    config,
    sources=st.integers(3, 5),
    domains=st.sampled_from([None, 2, 3]),
    batch=st.sampled_from([2, 4, 20]),
    backbone=st.sampled_from(["paper", "vit_micro", "convnext_tiny"]),
    method=st.fixed_dictionaries(
        {
            "name": st.sampled_from(list(METHODS)),
            "inner_learning_rate": st.sampled_from([0.0, 1e-3, 0.1, 1.0]),
            "inner_steps": st.integers(1, 3),
            "depth_weight": st.sampled_from([0.0, 10.0]),
            "meta_test_weight": st.sampled_from([0.0, 1.0]),
            "schedule": st.sampled_from(["uniform", "balanced"]),
            "aggregation": st.sampled_from(["mean", "sum"]),
            "aggregation_batch_norm": st.sampled_from(["domain", "joint"]),
        }
    ).map(owned),
    seed=st.integers(0, 2**31 - 1),
    episodes=st.sampled_from([2, 3, 50]),
    learning_rate=st.sampled_from([1e-5, 1.0]),
    clip=st.sampled_from([None, 1e-2]),
    decay=st.sampled_from(["none", "cosine"]),
    precision=st.sampled_from(["fp32", "bf16"]),
    bf16_reduce=st.booleans(),
    meta_test=st.sampled_from(["shard", "replicate"]),
    activation_checkpointing=st.booleans(),
)


@settings(max_examples=2, deadline=None)
@given(run=RUNS)
def test_a_run_of_ddp_gets_its_certificate_the_same_on_every_worker(run):
    assert_certified(run)


@pytest.mark.drill
@settings(max_examples=30, deadline=None)
@given(run=RUNS)
def test_any_run_of_ddp_gets_its_certificate_the_same_on_every_worker(run):
    assert_certified(run)


def assert_certified(run: Config) -> None:
    first, second = (json.loads(c.to_json()) for c in team(2).run(prove, run))
    assert first | {"date": ""} == second | {"date": ""}
    assert first["passed"]
    assert max(first["differences"].values()) <= first["tolerance"] == 1e-9
    assert first["method"] == run.method.model_dump()
    assert first["sources"] == len(run.data.sources)
    assert first["domains"] == run.episode_domains
    assert first["episodes"] == min(run.training.episodes, 3)
    assert first["meta_test"] == run.training.meta_test
    assert ("model.backbone=convnext_tiny" in first["left_out"]) == (run.model.backbone == "convnext_tiny")
    assert ("training.precision=bf16" in first["left_out"]) == (run.training.precision == "bf16")
    assert ("training.bf16_reduce=True" in first["left_out"]) == run.training.bf16_reduce


# With pairs, with one task for all domains, with a gather, with turns and with two phases. The rest is a drill.
KINDS = ("rfmeta", "mldg", "ssdg", "maddg", "metareg")
OTHERS = [pytest.param(name, marks=pytest.mark.drill) for name in METHODS if name not in KINDS]


@pytest.mark.parametrize("method", [*KINDS, *OTHERS])
def test_a_run_of_some_domains_an_episode_gets_its_certificate(method):
    # An episode has work for one worker if its tasks are one and the meta-test batch is not split.
    of_three = {"workers": 3, "episodes": 2 if METHODS[method].most_workers(3, "shard") > 1 else 3}
    given = team(3).run(prove, config(5, domains=3, method={"name": method}, **of_three))[0]
    assert (given.sources, given.domains, given.workers, given.passed) == (5, 3, 3, True)


@pytest.mark.parametrize("zero", [1, 2])
def test_a_run_of_deepspeed_says_what_it_was_proved_with(zero):
    pytest.importorskip("deepspeed")
    given = team(2).run(prove, config(strategy="deepspeed", zero=zero))[0]
    assert (given.strategy, given.zero, given.workers) == ("deepspeed", zero, 2)
    assert given.deepspeed
    assert given.torch == torch.__version__


def test_one_worker_needs_no_process_group():
    given = prove(config(strategy="single", workers=1))
    assert max(given.differences.values()) == 0
    assert (given.zero, given.deepspeed, given.device) == (None, None, "cpu")


def test_a_process_group_proves_each_layout_once():
    one: dict[str, Any] = {"workers": 1, "strategy": "single"}
    proofs = Proofs()
    first = proofs.of(config(**one), CPU)
    same = config(method={"inner_learning_rate": 0.5, "depth_weight": 3.0}, seed=7, learning_rate=0.1, **one)
    assert proofs.of(same, CPU) is first
    for other in (
        config(method={"depth_weight": 0.0}, **one),  # without this term, other code runs
        config(method={"name": "no_meta"}, **one),
        config(sources=2, **one),
        config(clip=1.0, **one),
        config(episodes=2, **one),
    ):
        found = json.loads(proofs.of(other, CPU))
        assert found["passed"]
        assert found != json.loads(first)
        assert json.loads(proofs.of(config(**one), CPU)) == json.loads(first)
