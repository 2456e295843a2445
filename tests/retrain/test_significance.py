"""Compare the gate's tests with enumeration, with scipy, and with a numerical maximum of the likelihood."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom, binomtest, norm

from rfmeta_dist.evaluation.decisions import holm
from rfmeta_dist.retrain.significance import (
    Compared,
    corrected,
    design_effects,
    least,
    no_loss,
    sign_flips,
)


def enumerated(sums: list[int]) -> float:
    sizes = [abs(d) for d in sums]
    flips = [
        sum(sign * size for sign, size in zip(signs, sizes, strict=True))
        for signs in itertools.product((1, -1), repeat=len(sizes))
    ]
    return sum(total >= sum(sums) for total in flips) / len(flips)


def counted(n: int, only_champion: int, only_challenger: int) -> Compared:
    """Return the errors on videos of n different people."""
    place = np.arange(n)
    champion = place < only_champion
    return Compared.of(champion, (place >= n - only_challenger) & ~champion, place)


@pytest.mark.parametrize("seed", range(40))
def test_p_of_the_sign_flips_is_that_of_all_signs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sums = rng.integers(-4, 6, size=rng.integers(1, 12))
    assert sign_flips(sums) == pytest.approx(enumerated(sums.tolist()), rel=1e-12)
    assert least(sums) == pytest.approx(enumerated(np.abs(sums).tolist()), rel=1e-12)


@pytest.mark.parametrize(("fewer", "more"), [(0, 0), (1, 0), (9, 2), (2, 9), (41, 20), (700, 640), (1500, 1)])
def test_with_one_video_a_person_it_is_the_exact_test_of_mcnemar(fewer: int, more: int) -> None:
    sums = np.repeat([1, -1, 0], [fewer, more, 5])
    expected = binomtest(fewer, fewer + more, alternative="greater").pvalue if fewer + more else 1.0
    assert sign_flips(sums) == pytest.approx(expected, rel=1e-9)


def test_many_people_with_several_videos_have_the_p_of_simulated_signs() -> None:
    rng = np.random.default_rng(7)
    sums = rng.integers(-3, 4, size=400)
    drawn = (rng.choice([-1, 1], size=(40_000, 400)) * np.abs(sums)).sum(axis=1)
    shifted = np.append(sums, [8] * 5)
    drawn_shifted = drawn + rng.choice([-8, 8], size=(40_000, 5)).sum(axis=1)
    assert sign_flips(shifted) == pytest.approx((drawn_shifted >= shifted.sum()).mean(), abs=0.01)


def likelihood_score(n: int, more: int, fewer: int, margin: float) -> float:
    """Return the p of Tango's test, with the restricted maximum found numerically."""

    def against(q: float) -> float:
        rest = n - more - fewer
        shares = ((more, q + margin), (fewer, q), (rest, 1 - 2 * q - margin))
        return -sum(count * math.log(share) for count, share in shares if count)

    q = minimize_scalar(
        against, bounds=(1e-12, (1 - margin) / 2 - 1e-12), method="bounded", options={"xatol": 1e-13}
    ).x
    variance = n * (2 * q + margin - margin**2)
    return float(norm.cdf((more - fewer - n * margin) / math.sqrt(variance)))


@pytest.mark.parametrize(
    ("n", "more", "fewer"), [(60, 1, 3), (400, 10, 10), (800, 22, 30), (300, 40, 25), (90, 0, 5)]
)
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.2])
def test_no_loss_is_the_score_test_at_the_restricted_maximum(
    n: int, more: int, fewer: int, margin: float
) -> None:
    p = no_loss(counted(n, fewer, more), margin, 1.0)
    assert p == pytest.approx(likelihood_score(n, more, fewer, margin), rel=1e-5)


def test_no_loss_gives_the_published_interval() -> None:
    """Tango's 95 % interval of the pairs 1, 1, 7, 12 (Fagerland et al. 2014, BMC Med. Res. Methodol. 14)."""
    found = counted(21, 1, 7)
    high = brentq(lambda margin: no_loss(found, margin, 1.0) - 0.025, 0.2, 0.9)
    low = brentq(lambda margin: no_loss(found, margin, 1.0) - 0.975, 1e-6, 0.2)
    assert (round(low, 3), round(high, 3)) == (0.026, 0.517)


def test_no_disagreement_at_all_is_no_certainty() -> None:
    z = math.sqrt(100 * 0.05 / 0.95)
    assert no_loss(counted(100, 0, 0), 0.05, 1.0) == pytest.approx(norm.cdf(-z), rel=1e-12)
    assert no_loss(counted(100, 0, 0), 0.05, 4.0) == pytest.approx(norm.cdf(-z / 2), rel=1e-12)
    assert no_loss(counted(1, 0, 0), 0.05, 1.0) == 1.0
    one_person = Compared.of(np.zeros(900, bool), np.zeros(900, bool), np.zeros(900, np.int64))
    assert no_loss(one_person, 0.05, 1.0) == 1.0


def test_the_design_effect_is_that_of_equal_videos() -> None:
    rng = np.random.default_rng(3)
    wrong = rng.random(300) < 0.1
    people = np.repeat(np.arange(300), 4)
    alike = Compared.of(np.zeros(1200, bool), np.repeat(wrong, 4), people)
    assert design_effects([alike]) == [pytest.approx(4.0, rel=0.01)]
    assert design_effects([Compared.of(np.zeros(300, bool), wrong, np.arange(300))]) == [1.0]
    never = Compared.of(np.zeros(1200, bool), np.zeros(1200, bool), people)
    assert design_effects([never]) == [4.0]  # nothing is known of the correlation, so a person counts once
    few, independent = design_effects(
        [never, Compared.of(np.zeros(1200, bool), rng.random(1200) < 0.3, people)]
    )
    assert 1 <= few < 1.3
    assert 1 <= independent < 1.3


def test_correlated_videos_of_equal_models_pass_no_loss_at_their_boundary_as_rarely_as_promised() -> None:
    """Every person's four videos are alike with probability one half; the true loss is the margin."""
    rng, passed, times = np.random.default_rng(11), 0, 2000
    people = np.repeat(np.arange(150), 4)
    for _ in range(times):
        draw = np.where(rng.random((150, 1)) < 0.5, rng.random((150, 1)), rng.random((150, 4))).ravel()
        found = Compared.of(draw > 0.95, draw < 0.10, people)
        passed += no_loss(found, 0.05, design_effects([found])[0]) <= 0.025
    assert passed / times < 0.035


def test_the_correction_is_holms_over_the_tests_that_could_be_significant() -> None:
    ps = [0.001, 0.04, 0.012, 0.5]
    assert corrected(ps, [1e-9] * 4, 0.05) == pytest.approx(holm(ps))
    # Two tests have too few people for any p below 0.05/2, so the others are corrected for two.
    assert corrected([*ps[:2], 0.2, 0.5], [1e-9, 1e-9, 0.2, 0.5], 0.05) == pytest.approx([0.002, 0.04, 1, 1])
    assert corrected([], [], 0.05) == []
    assert corrected([0.5], [0.5], 0.05) == [1.0]


def test_false_alarms_over_many_small_cells_are_as_rare_as_promised() -> None:
    rng, alarms, times = np.random.default_rng(5), 0, 3000
    sizes = np.repeat([2, 4, 6, 8, 12, 30], 5)
    for _ in range(times):
        heads = rng.binomial(sizes, 0.5)
        ps = binom.sf(heads - 1, sizes, 0.5)
        alarms += min(corrected(ps.tolist(), (0.5**sizes).tolist(), 0.05)) <= 0.05
    assert 0.002 < alarms / times < 0.06
