"""Who is meta-test."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.episode.schedule import domain_order


@given(
    st.integers(0, 2**31), st.integers(0, 10**9), st.integers(2, 9), st.sampled_from(["uniform", "balanced"])
)
def test_an_order_is_a_permutation_of_seed_and_step_alone(seed, step, domains, schedule):
    order = domain_order(seed, step, domains, schedule)
    assert sorted(order) == list(range(domains))
    assert order == domain_order(seed, step, domains, schedule)


@pytest.mark.parametrize("domains", [2, 3, 5])
def test_balanced_makes_each_domain_meta_test_once_a_cycle(domains):
    for cycle in range(20):
        steps = range(cycle * domains, (cycle + 1) * domains)
        assert {domain_order(7, s, domains, "balanced")[-1] for s in steps} == set(range(domains))


def test_uniform_draws_every_order_about_equally():
    counts = Counter(domain_order(0, step, 3) for step in range(6000))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 150 for count in counts.values())  # five standard deviations
