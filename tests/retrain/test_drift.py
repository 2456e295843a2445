"""Drift is said of scores that no share of attacks explains, rarely without cause, and not of few videos."""

from __future__ import annotations

import numpy as np
import pytest

from rfmeta_dist.config.retrain import Drift as Settings
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.retrain.drift import BINS, Reference, attack_share, compare, measure
from rfmeta_dist.retrain.production import Production

SETTINGS = Settings()
LIVE, ATTACK = (8.0, 2.0), (2.0, 5.0)  # Beta distributions: an equal error rate of about 8 %
TIMES = 200


def drawn(rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    attacks = rng.random(count) < share
    return np.where(attacks, rng.beta(*ATTACK, count), rng.beta(*LIVE, count))


def reference(rng: np.random.Generator, count: int = 2000, share: float = 0.5) -> Reference:
    label = (rng.random(count) >= share).astype(np.int64)
    score = np.where(label == 1, rng.beta(*LIVE, count), rng.beta(*ATTACK, count))
    return Reference.of(label, score, 0.6, "the frozen set")


def production(score: np.ndarray, device: np.ndarray | None = None) -> Production:
    names = np.full(len(score), "", np.object_) if device is None else device
    return Production(score, names, 1)


@pytest.mark.parametrize("count", [200, 1000])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_few_false_alarms_at_any_share_of_attacks(count, share):
    """At a level of 0.1 % none of 200 is expected, and 3 would come of a level of 0.1 % in 1 of 900 cases."""
    rng = np.random.default_rng(count)
    found = [measure(production(drawn(rng, count, share)), reference(rng), SETTINGS) for _ in range(TIMES)]
    assert sum(one.verdict == "drift" for one in found) < 3
    estimated = [one.fitted.attack_share for one in found if one.fitted]
    assert np.mean(estimated) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("count", [200, 1000])
def test_the_index_without_drift_is_as_large_as_is_said(count):
    rng = np.random.default_rng(count + 1)
    found = [compare(drawn(rng, count, 0.3), reference(rng), 0.3) for _ in range(TIMES)]
    assert np.mean([one.psi for one in found]) == pytest.approx(found[0].psi_without_drift, rel=0.15)
    assert BINS == 10


def test_p_values_without_drift_are_spread_over_0_to_1_if_the_share_is_known():
    rng = np.random.default_rng(2)
    p = np.array([compare(drawn(rng, 300, 0.3), reference(rng), 0.3).p for _ in range(400)])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p < level) <= level + 3 * np.sqrt(level * (1 - level) / len(p))
    assert np.mean(p < 0.5) > 0.25


def test_a_shifted_camera_is_drift_and_another_share_of_attacks_is_not():
    rng = np.random.default_rng(3)
    frozen = reference(rng, share=0.3)
    shifted = measure(production(drawn(rng, 500, 0.3) ** 0.3), frozen, SETTINGS)
    assert shifted.verdict == "drift"
    assert "no mixture of live videos and attacks of the frozen set" in shifted.sentence
    mixed = measure(production(drawn(rng, 500, 0.7)), frozen, SETTINGS)
    assert mixed.verdict == "mix or drift"
    assert mixed.fitted
    assert mixed.fitted.attack_share == pytest.approx(0.7, abs=0.06)
    assert "of attacks the difference is below the limits, with the usual 31 % it is not" in mixed.sentence
    assert measure(production(drawn(rng, 500, 0.7)), frozen, SETTINGS, 0.7).verdict == "no drift"
    same = measure(production(drawn(rng, 500, 0.3)), frozen, SETTINGS)
    assert same.verdict == "no drift"


def test_an_attack_that_passes_is_not_seen_and_the_result_says_so():
    rng = np.random.default_rng(4)
    frozen, passes = reference(rng), rng.beta(*LIVE, 50)
    found = measure(production(np.concatenate([drawn(rng, 950, 0.1), passes])), frozen, SETTINGS)
    assert found.verdict != "drift"
    assert any("an attack that passes" in line for line in found.as_dict()["blind"])


def test_a_device_that_drifts_among_many_is_named():
    rng = np.random.default_rng(5)
    score = drawn(rng, 4000, 0.1)
    device = np.array(["a"] * 3700 + ["b"] * 250 + ["c"] * 50, np.object_)
    score[3700:3950] **= 0.3
    found = measure(production(score, device), reference(rng), SETTINGS)
    assert [(d.name, d.videos, d.drift) for d in found.devices] == [
        ("a", 3700, False),
        ("b", 250, True),
        ("c", 50, False),
    ]
    assert found.devices[2].fitted is None
    assert found.sentence.startswith("drift: the scores of device b are those of no mixture")


def test_of_too_few_videos_nothing_is_said():
    rng = np.random.default_rng(6)
    found = measure(production(drawn(rng, 57, 0.1) ** 0.1), reference(rng), SETTINGS)
    assert found.sentence == "nothing to say, 57 videos, 200 needed"
    told = found.as_dict()
    assert (told["verdict"], told["plain"], told["near"]) == ("nothing to say", None, {})


def test_shares_near_the_threshold_are_counted_on_both_sides():
    frozen = Reference.of(np.array([1, 1, 0, 0]), np.array([0.9, 0.62, 0.58, 0.1]), 0.6, "the frozen set")
    score = np.repeat([0.56, 0.6, 0.64, 0.9], [30, 20, 50, 100])
    near = measure(production(score), frozen, SETTINGS).near
    assert (near["below"], near["above"]) == (0.15, 0.35)
    share = attack_share(score, frozen)
    assert (near["expected_below"], near["expected_above"]) == pytest.approx((share / 2, (1 - share) / 2))


def test_a_reference_of_one_class_is_refused():
    with pytest.raises(DataError, match="2 live videos and 0 of attacks"):
        Reference.of(np.array([1, 1]), np.array([0.5, 0.6]), 0.5, "the frozen set")
