"""Intervals of rates equal exact binomial ones where samples are independent, and never leave out the value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rfmeta_dist.evaluation import interval

MANY = 10**9  # so many subjects that Student's t is normal
fractions = st.floats(0, 1)
errors = st.one_of(st.just(0.0), st.floats(1e-9, 1))
counts = st.integers(1, 500)


@pytest.mark.parametrize(("hits", "samples"), [(1, 20), (7, 35), (50, 100), (99, 100), (3, 1000)])
def test_the_interval_is_the_exact_one_of_as_many_independent_samples(hits, samples):
    rate = hits / samples
    low, high = interval.of_rate(rate, np.sqrt(rate * (1 - rate) / samples), MANY, samples)
    exact = stats.binomtest(hits, samples).proportion_ci(method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-6)


@pytest.mark.parametrize("subjects", [2, 20, 35])
def test_few_subjects_make_the_number_of_samples_smaller_by_students_t(subjects):
    # Written out from Korn & Graubard (1998) with the beta distribution.
    rate, error = 0.2, 0.06
    samples = rate * (1 - rate) / error**2 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, subjects - 1)) ** 2
    hits = rate * samples
    expected = stats.beta.ppf(0.025, hits, samples - hits + 1), stats.beta.ppf(0.975, hits + 1, samples - hits)
    assert interval.of_rate(rate, error, subjects, 1000) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("subjects", [2, 20, 300])
def test_without_an_observed_error_it_is_the_exact_interval_of_so_many_people(subjects):
    exact = stats.binomtest(0, subjects).proportion_ci(method="exact")
    assert interval.of_rate(0, 0, subjects, 10**6) == pytest.approx((0, exact.high))
    assert interval.of_rate(1, 0, subjects, 10**6) == pytest.approx((1 - exact.high, 1))
    assert interval.of_difference(0, 0, subjects) == pytest.approx((-exact.high, exact.high))


def test_samples_are_not_more_than_the_recordings():
    low, high = interval.of_rate(0.1, 0.001, 50, 90_000)
    capped, honest = (interval.of_rate(0.1, error, 50, 100) for error in (0.001, 0.03))
    assert capped[0] == pytest.approx(honest[0])
    assert capped[1] == pytest.approx(honest[1])
    assert high - low < 0.005


def test_a_difference_has_students_interval():
    expected = stats.t.interval(0.95, 34, loc=0.05, scale=0.02)
    assert interval.of_difference(0.05, 0.02, 35) == pytest.approx(expected)


@given(fractions, errors, counts, counts)
def test_the_interval_contains_the_value_within_the_range_and_has_a_width(value, error, subjects, recordings):
    low, high = interval.of_rate(value, error, subjects, recordings)
    assert 0 <= low <= value <= high <= 1
    assert low < high
    low, high = interval.of_difference(2 * value - 1, error, subjects)
    assert -1 <= low <= 2 * value - 1 <= high <= 1
    assert low < high


@given(st.floats(0.01, 0.99), st.floats(1e-3, 0.2), st.integers(2, 100))
def test_a_larger_error_and_fewer_subjects_never_give_a_narrower_interval(value, error, subjects):
    low, high = interval.of_rate(value, error, subjects, 10**6)
    for wider in (
        interval.of_rate(value, 1.5 * error, subjects, 10**6),
        interval.of_rate(value, error, 2, 10**6),
    ):
        assert wider[0] <= low + 1e-12
        assert wider[1] >= high - 1e-12


@pytest.mark.parametrize(("error", "subjects"), [(0.1, 1), (np.nan, 30)])
def test_what_is_not_known_has_the_whole_range(error, subjects):
    assert interval.of_rate(0.3, error, subjects, 10) == (0, 1)
    assert interval.of_difference(0.3, error, subjects) == (-1, 1)
