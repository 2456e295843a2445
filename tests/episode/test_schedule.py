"""The schedule chooses the domains of each episode, their batches, and the meta-test domain."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.episode.schedule import Turn, domain_order, most_batches, turns


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


@given(
    st.integers(0, 2**31), st.integers(0, 10**6), st.integers(2, 9), st.sampled_from(["uniform", "balanced"])
)
def test_an_episode_of_all_domains_is_that_of_the_schedule(seed, episode, domains, schedule):
    expected = tuple(Turn(d, episode) for d in domain_order(seed, episode, domains, schedule))
    assert turns(seed, episode, domains, domains, schedule) == expected


FEW = st.integers(3, 17).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n - 1)))


@given(st.integers(0, 2**31), st.integers(0, 10**6), FEW)
def test_a_cycle_of_n_episodes_has_every_domain_once_at_each_position(seed, cycle, few):
    domains, chosen = few
    episodes = [turns(seed, cycle * domains + e, domains, chosen) for e in range(domains)]
    assert all(len({turn.domain for turn in episode}) == chosen for episode in episodes)
    for position in zip(*episodes, strict=True):
        assert sorted(turn.domain for turn in position) == list(range(domains))


@given(st.integers(0, 2**31), FEW, st.integers(1, 60))
def test_batches_of_a_domain_are_used_in_order_without_gaps(seed, few, episodes):
    used = Counter()
    for episode in range(episodes):
        for domain, batch in turns(seed, episode, *few):
            assert batch == used[domain]
            used[domain] += 1


@given(st.integers(0, 2**31), FEW, st.integers(0, 200), st.integers(1, 60))
def test_consecutive_episodes_use_no_more_batches_of_a_domain_than_are_kept(seed, few, start, count):
    used = Counter(turn.domain for e in range(start, start + count) for turn in turns(seed, e, *few))
    assert max(used.values()) <= most_batches(count, *few) <= count


def test_every_ordered_choice_is_about_equally_likely_at_any_place_of_a_cycle():
    for place in (0, 3):
        choices = Counter(tuple(d for d, _ in turns(0, 4 * c + place, 4, 2)) for c in range(12_000))
        assert len(choices) == 12
        assert all(abs(count - 1000) < 160 for count in choices.values())  # five standard deviations


def test_the_choice_is_the_same_in_every_version():
    """A run that an earlier version started must resume with the same domains."""
    assert turns(1, 4, 5, 3) == ((4, 2), (1, 2), (2, 2))
    assert turns(1, 123_456, 5, 3) == ((2, 74_073), (3, 74_074), (1, 74_074))
