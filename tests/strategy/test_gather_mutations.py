"""A gather that passes on gradients wrongly is seen by the comparison of two workers with a single process."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from rfmeta_dist.methods.base import gather
from tests.strategy.test_parity import Case, alone, assert_agree, run_with
from tests.team import team


def _own_alone(ctx: Any, gradient: Any) -> Any:
    return gradient[ctx.rows], None, None, None


def _none(_: Any, gradient: Any) -> Any:
    return None, None, None, None


MISTAKES = {"a worker's own use of its rows alone": _own_alone, "no gradient": _none}


def mutated(name: str, case: Case) -> dict[str, Any]:
    """The run of one worker with this mistake in it."""
    with patch.object(gather._Gather, "backward", staticmethod(MISTAKES[name])):
        return run_with("ddp", case)


@pytest.mark.parametrize(("method", "name"), [*zip(["mmd_aae", "ssdg"], MISTAKES, strict=True)])
def test_a_mistake_in_the_gather_shows(method, name):
    case = Case(method, seed=1)
    with pytest.raises(AssertionError):
        assert_agree(alone(case), team(2).run(mutated, name, case))
