"""`no_better` reports a training whose loss did not fall, and no other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES
from rfmeta_dist.training.trend import no_better, of_run


def rows(losses) -> list[dict]:
    return [{"step": s, "skipped": True} if x is None else {"step": s, "loss": x} for s, x in enumerate(losses)]


NOISE = np.random.default_rng(0).normal(1, 0.1, 1000)


def noise(step: int) -> float:
    return float(NOISE[step])


@pytest.mark.parametrize(
    "losses",
    [
        [2 * noise(s) for s in range(1000)],
        [2 * noise(s) + s / 100 for s in range(1000)],
        [17.0, 136.0, 90.0, *[19.5 * noise(s) for s in range(60)]],  # it diverged within the first steps
        [3.0, 2.0] * 5 + [None] * 30 + [3.7e4] * 30,
    ],
)
def test_a_loss_that_ends_no_lower_is_told(losses):
    line = no_better(rows(losses))
    assert "the loss has not fallen by 5 %" in line
    assert "lower training.learning_rate or method.inner_learning_rate" in line


@pytest.mark.parametrize(
    "losses",
    [
        [16 * noise(s) * math.exp(-s / 30) + 1 for s in range(80)],
        [2 * noise(s) - s / 1000 for s in range(1000)],
        [16.0] * 10 + [5.0] * 20 + [1000.0] + [4.0] * 4,  # one bad batch near the end
        [1.0, 2.0],  # too short to tell
        [],
        [None] * 50,
    ],
)
def test_a_loss_that_falls_or_cannot_be_judged_is_not(losses):
    assert no_better(rows(losses)) == ""


def test_only_the_last_phase_is_judged_and_no_adversary():
    """The loss falls in each half, and begins higher in the second one."""
    losses = rows([scale * math.exp(-s / 20) for scale in (1, 9) for s in range(40)])
    data = {"prefix": "faces", "sources": ["O", "C", "I"], "target": "M"}
    tree = {"run": {"name": "a"}, "data": data, "training": {"steps": 80, "workers": 1}}
    for name, facts in RULES.items():
        line = of_run(check({**tree, "method": {"name": name}}, "test"), losses)
        assert bool(line) == (len(facts.phases) == 1 and facts.turns == 1), name
