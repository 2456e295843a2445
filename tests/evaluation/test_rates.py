"""Rates agree with brute force over every threshold, with scikit-learn, and with cases computed by hand."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from rfmeta_dist.evaluation import rates

KINDS = np.array(["live", "print", "replay", "mask"])


@st.composite
def samples(draw):
    """Draw (attack_type, score) with both classes and, because scores lie on a coarse grid, many ties."""
    kinds = draw(arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 3)))
    attack_type = KINDS[np.concatenate([[0, 1], kinds])]
    grid = draw(st.sampled_from([3, 10, 1000]))
    ticks = arrays(np.int64, len(attack_type), elements=st.integers(0, grid))
    return attack_type, draw(ticks) / grid


def labels(attack_type):
    return (attack_type == "live").astype(int)


def every_threshold(score):
    return [*np.unique(score), np.inf]


def counted(label, score, threshold):
    """Return (FAR, FRR), counted sample by sample."""
    accepted = [s >= threshold for s in score]
    attacks = [a for a, y in zip(accepted, label, strict=True) if y == 0]
    lives = [a for a, y in zip(accepted, label, strict=True) if y == 1]
    return sum(attacks) / len(attacks), 1 - sum(lives) / len(lives)


LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("score", "rate", "area"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9], 0.0, 1.0),  # perfect
        ([0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4], 1.0, 0.0),  # inverted, and not flipped
        ([0.5] * 8, 0.5, 0.5),  # constant
        ([0.1, 0.2, 0.3, 0.7, 0.4, 0.8, 0.9, 1.0], 0.25, 15 / 16),  # one pair swapped
        ([0.1, 0.2, 0.3, 0.5, 0.5, 0.7, 0.8, 0.9], 0.125, 31 / 32),  # one tie across classes
    ],
)
def test_worked_cases(score, rate, area):
    score = np.array(score)
    assert rates.eer(LABEL, score).value == rate
    assert rates.auc(LABEL, score) == area


def test_threshold_of_a_perfect_classifier_is_in_the_middle_of_the_gap():
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    assert rates.eer(LABEL, score).threshold == 0.5


def test_constant_scores_are_all_rejected_rather_than_all_accepted():
    threshold = rates.eer(LABEL, np.full(8, 0.5)).threshold
    assert np.isfinite(threshold)
    assert threshold > 0.5


LARGEST = float(np.finfo(np.float64).max)
EXTREMES = st.sampled_from([-LARGEST, -1.0, -5e-324, 0.0, 5e-324, 1.0, LARGEST])


@given(st.lists(EXTREMES | st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=12))
@example([LARGEST, LARGEST])
@example([-LARGEST, LARGEST])
@settings(deadline=None)
def test_a_threshold_reaches_its_error_rate_for_any_finite_scores(values):
    score, label = np.array(values), np.arange(len(values)) % 2
    found = rates.eer(label, score)
    assert np.isfinite(found.threshold)
    assert rates.hter(label, score, found.threshold) == pytest.approx(found.value, abs=1e-15)
    json.dumps(found, allow_nan=False)


def test_accepts_at_the_threshold_itself():
    label, score = np.array([0, 1]), np.array([0.5, 0.5])
    assert rates.far(label, score, 0.5) == 1
    assert rates.frr(label, score, 0.5) == 0
    assert rates.hter(label, score, 0.5) == 0.5


@pytest.mark.parametrize("low", [0.3, np.nextafter(0.3, 1)])  # their middles round up and down
def test_neighbouring_floats_can_be_told_apart(low):
    high = np.nextafter(low, 1)
    rate, threshold = rates.eer(np.array([0, 1]), np.array([low, high]))
    assert rate == 0
    assert threshold == high


def test_apcer_by_hand():
    kinds = np.array(["print"] * 4 + ["replay"] * 2 + ["live"] * 5)
    score = np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.9, 0.2, 0.6, 0.7, 0.8, 0.9])
    per_type = rates.apcer(kinds, score, 0.5)
    assert per_type == {"print": 0.25, "replay": 1.0}
    assert rates.worst(per_type) == ("replay", 1.0)
    assert rates.bpcer(labels(kinds), score, 0.5) == 0.2
    assert rates.acer(kinds, score, 0.5) == 0.6
    # Pooling hides the replay attacks: 3 of 6 accepted.
    assert rates.far(labels(kinds), score, 0.5) == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_roc_and_auc_agree_with_counting_pairs(seed):
    rng = np.random.default_rng(seed)
    label = np.append([0, 1], rng.integers(0, 2, 60))
    score = np.round(rng.random(62), 1)
    live, attack = score[label == 1], score[label == 0]
    wins = (live[:, None] > attack).mean() + (live[:, None] == attack).mean() / 2
    assert rates.auc(label, score) == pytest.approx(wins, abs=1e-12)
    curve = rates.roc(label, score)
    assert np.trapezoid(curve.tpr, curve.far) == pytest.approx(wins, abs=1e-12)
    for far, tpr, threshold in zip(*curve, strict=True):
        assert counted(label, score, threshold) == pytest.approx((far, 1 - tpr))


@settings(max_examples=150, deadline=None)
@given(samples())
def test_eer_is_the_best_of_all_thresholds(sample):
    kinds, score = sample
    label = labels(kinds)
    rate, threshold = rates.eer(label, score)
    far, frr = counted(label, score, threshold)
    assert rate == pytest.approx((far + frr) / 2, abs=1e-12)
    # Brute force: the smallest |FAR − FRR|, then the smallest sum.
    points = [counted(label, score, t) for t in every_threshold(score)]
    best = min((round(abs(a - b), 9), a + b) for a, b in points)
    assert (abs(far - frr), far + frr) == pytest.approx(best, abs=1e-9)
    # scikit-learn's curve crosses FAR = FRR within the step the rule picks.
    fpr, tpr, _ = sk.roc_curve(label, score, drop_intermediate=False)
    step = np.max(np.diff(fpr) + np.diff(tpr))
    crossing = np.interp(0, fpr - (1 - tpr), fpr)
    assert abs(rate - crossing) <= step / 2 + 1e-9


@settings(max_examples=100, deadline=None)
@given(samples())
def test_a_monotone_transform_changes_nothing_but_the_threshold(sample):
    kinds, score = sample
    label = labels(kinds)
    other = score**3 / 2 + 0.1
    assert rates.auc(label, score) == rates.auc(label, other)
    assert rates.eer(label, score).value == rates.eer(label, other).value
    assert rates.bpcer_at_apcer(kinds, score) == rates.bpcer_at_apcer(kinds, other)


@settings(max_examples=100, deadline=None)
@given(samples())
def test_swapping_the_classes_and_the_scores_is_a_mirror(sample):
    kinds, score = sample
    label = labels(kinds)
    assert rates.eer(1 - label, 1 - score).value == rates.eer(label, score).value
    assert rates.auc(1 - label, 1 - score) == pytest.approx(rates.auc(label, score))
    assert rates.auc(1 - label, score) == pytest.approx(1 - rates.auc(label, score))


@settings(max_examples=100, deadline=None)
@given(samples(), st.floats(0, 1))
def test_the_worst_type_is_at_least_as_bad_as_all_pooled(sample, threshold):
    kinds, score = sample
    worst = rates.worst(rates.apcer(kinds, score, threshold))[1]
    assert worst >= rates.far(labels(kinds), score, threshold) - 1e-12


@settings(max_examples=100, deadline=None)
@given(samples())
def test_bpcer_at_apcer_is_the_best_of_all_thresholds(sample):
    kinds, score = sample
    for limit, rate in rates.bpcer_at_apcer(kinds, score, (0.5, 0.1, 0.0)).items():
        allowed = [
            rates.bpcer(labels(kinds), score, t)
            for t in every_threshold(score)
            if rates.worst(rates.apcer(kinds, score, t))[1] <= limit
        ]
        assert rate == min(allowed)


def test_bpcer_at_apcer_counts_exact_shares():
    # 29 of 100 is within 0.29, though 0.29 * 100 is a little less than 29 in floating point.
    score = np.append(np.linspace(0, 0.99, 100), 0.705)
    kinds = np.array(["print"] * 100 + ["live"])
    assert rates.bpcer_at_apcer(kinds, score, (0.29,)) == {0.29: 0.0}
    assert rates.bpcer_at_apcer(kinds, score, (0.28,)) == {0.28: 1.0}
