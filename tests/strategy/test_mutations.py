"""The comparison with a single process sees the mistakes that are easily made: each is made here on purpose."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from rfmeta_dist.methods.base import objective, pairs
from rfmeta_dist.models import chain
from rfmeta_dist.strategy.ddp import DDP
from tests.strategy.test_parity import Case, alone, assert_agree, run_with
from tests.team import team

SHARDED, REPLICATED = Case(seed=1), Case(seed=1, meta_test="replicate")


def _without_second_order(learner, loss, loss_with, **kwargs: Any):
    return ADAPT(learner, loss, loss_with, **(kwargs | {"second_order": False}))


def _averaging(self: DDP, loss) -> None:
    loss.backward()


def _depth_twice(self, episode, part, seen, *, depth=True):
    test = META_TEST(self, episode, part, seen, depth=depth)
    return test._replace(dep=2 * test.dep)


def _own_statistics(self: DDP, record):
    return record


def _unshared(z, shared=None):
    return MOMENTS(z, None)


def _own_gradient(gradient, z, seen, scale, shared):
    return BACKWARD(gradient, z, seen, scale, None)


ADAPT, META_TEST, MOMENTS, BACKWARD = (
    pairs.adapt,
    objective.Objective.meta_test,
    chain.moments,
    chain._normalise_backward,
)
MUTATIONS = {
    "the second-order term is dropped": (pairs, "adapt", _without_second_order, REPLICATED),
    "gradients are averaged, not summed": (DDP, "backward", _averaging, REPLICATED),
    "each worker counts the meta-test depth": (objective.Objective, "meta_test", _depth_twice, REPLICATED),
    "running statistics follow each worker's own batches": (DDP, "sum", _own_statistics, REPLICATED),
    "batch norm sees a worker's rows alone": (chain, "moments", _unshared, SHARDED),
    "its derivative sees a worker's rows alone": (chain, "_normalise_backward", _own_gradient, SHARDED),
}


def mutated(name: str) -> dict[str, Any]:
    """The run of one worker with this mistake in it."""
    where, attribute, mistake, case = MUTATIONS[name]
    with patch.object(where, attribute, mistake):
        return run_with("ddp", case)


# Runs refuse to start with these two, which tests/verification/test_certificate.py proves.
REFUSED = {"gradients are averaged, not summed", "running statistics follow each worker's own batches"}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.drill if n in REFUSED else ()) for n in MUTATIONS]
)
def test_a_mistake_shows(name):
    case = MUTATIONS[name][-1]
    with pytest.raises(AssertionError):
        assert_agree(alone(case), team(2).run(mutated, name))


@pytest.mark.parametrize("case", [SHARDED, REPLICATED])
def test_without_a_mistake_nothing_shows(case):
    assert_agree(alone(case), team(2).run(run_with, "ddp", case))
