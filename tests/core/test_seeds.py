"""Random draws depend on their arguments alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.core.seeds import generator, octets, permutation, seed


@given(st.integers(0, 500), st.integers())
def test_a_permutation_holds_every_index_once_and_repeats(n, part):
    first = permutation(n, part, "x")
    assert sorted(first.tolist()) == list(range(n))
    assert np.array_equal(first, permutation(n, part, "x"))


def test_arguments_are_kept_apart():
    assert len({seed(1, 2), seed(12), seed("1", 2), seed(1, "2"), seed("1,2"), seed(2, 1)}) == 6
    assert generator("a", "bc").random() != generator("ab", "c").random()


def test_the_order_is_the_same_on_every_machine():
    """Compare with a stored order. With another order, checkpoints would resume with other batches."""
    assert permutation(8, 0, "episode", 0).tolist() == [7, 0, 6, 3, 1, 2, 4, 5]


@given(st.integers(0, 50), st.integers(0, 50), st.integers())
def test_fewer_octets_are_the_first_of_more(n, more, part):
    drawn = octets(n, part, "x")
    assert (drawn.shape, drawn.dtype) == ((n,), np.uint8)
    assert np.array_equal(drawn, octets(n + more, part, "x")[:n])


def test_octets_are_evenly_drawn_each_on_its_own():
    drawn = octets(256_000, "test")
    counts = np.bincount(drawn, minlength=256)
    assert abs(counts - 1000).max() < 5 * 1000**0.5
    pairs = np.bincount(drawn[:-1] // 64 * 4 + drawn[1:] // 64, minlength=16)
    assert abs(pairs - 16_000).max() < 5 * 16_000**0.5


def test_octets_are_the_same_on_every_machine():
    assert octets(4, 0, "noise").tolist() == [213, 108, 10, 83]
