"""Check the numbers of videos by the share of simulated tests that pass with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from rfmeta_dist.retrain import power
from rfmeta_dist.retrain.significance import Compared, no_loss, sign_flips

TIMES = 2000


def drawn(rng: np.random.Generator, n: int, more: float, fewer: float, each: int) -> Compared:
    """Draw n videos, each person's `each` videos being alike."""
    value = np.repeat(rng.random(n // each), each)
    return Compared.of(value < fewer, value > 1 - more, np.repeat(np.arange(n // each), each))


@pytest.mark.parametrize(("disagreement", "gain"), [(0.25, 0.2), (0.1, 0.05), (0.05, 0.05), (0.2, 0.1)])
def test_a_gain_is_found_in_four_of_five_sets_of_that_many_videos(disagreement: float, gain: float) -> None:
    n = power.for_gain(disagreement, gain, 1.0, 0.025, 0.8)
    wins = (disagreement + gain) / 2
    discordant = np.arange(n + 1)
    # McNemar's critical value for each number of disagreements, and the chance to reach it.
    critical = binom.isf(0.025, discordant, 0.5) + 1
    reached = binom.sf(critical - 1, discordant, wins / disagreement)
    assert 0.78 < float((binom.pmf(discordant, n, disagreement) * reached).sum()) < 0.9


@pytest.mark.parametrize(("disagreement", "more"), [(0.05, 0.0), (0.2, 0.0), (0.1, 0.02), (0.0, 0.0)])
def test_no_loss_is_shown_in_four_of_five_sets_of_that_many_videos(disagreement: float, more: float) -> None:
    rng = np.random.default_rng(1)
    found = drawn(rng, 4000, disagreement / 2, disagreement / 2, 1)
    n = power.for_no_loss(found, more, 1.0, 0.05, 0.005, 0.8)
    assert n is not None
    up, down = (disagreement + more) / 2, (disagreement - more) / 2
    passed = sum(no_loss(drawn(rng, n, up, down, 1), 0.05, 1.0) <= 0.005 for _ in range(TIMES)) / TIMES
    assert passed == 1 if not disagreement else 0.74 < passed < 0.88


def test_alike_videos_need_as_many_times_more_as_the_design_effect_says() -> None:
    rng = np.random.default_rng(4)
    n = power.for_gain(0.2, 0.1, 4.0, 0.025, 0.8)
    assert n == pytest.approx(4 * power.for_gain(0.2, 0.1, 1.0, 0.025, 0.8), abs=4)
    passed = sum(sign_flips(drawn(rng, n, 0.05, 0.15, 4).sums) <= 0.025 for _ in range(TIMES)) / TIMES
    assert 0.76 < passed < 0.88


def test_no_number_of_videos_shows_that_a_loss_beyond_the_margin_is_none() -> None:
    found = drawn(np.random.default_rng(1), 400, 0.1, 0.1, 1)
    assert power.for_no_loss(found, 0.05, 1.0, 0.05, 0.005, 0.8) is None


def test_several_tests_pass_together_with_the_power() -> None:
    assert power.share(1) == 0.8
    assert power.share(4) ** 4 == pytest.approx(0.8)
