"""The order of a stream has every sample once per epoch, starts anywhere, and depends on the seed alone."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.data.reading.order import WINDOW, SampleOrder

COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=11)


def order(plan: SampleOrder, start: int, length: int) -> list[tuple[int, int]]:
    """Return the first (shard, sample) pairs from a position on."""

    def samples():
        for visit in plan.visits(start):
            window = [(s, i) for s in visit.shards for i in range(plan.counts[s])]
            yield from (window[index] for index in visit.order)

    return list(islice(samples(), length))


@given(COUNTS, st.integers(0, 2**40), st.integers(0, 3))
def test_each_sample_comes_once_an_epoch(counts: list[int], seed: int, epoch: int):
    total = sum(counts)
    found = order(SampleOrder(counts, seed, "A/train/live"), epoch * total, total)
    assert sorted(found) == [(s, i) for s, n in enumerate(counts) for i in range(n)]


@given(COUNTS, st.integers(0, 250), st.integers(1, 40))
def test_starting_late_is_the_same_as_skipping(counts: list[int], start: int, length: int):
    plan = SampleOrder(counts, 7, "A/train/live")
    assert order(plan, start, length) == order(plan, 0, start + length)[start:]


def test_seed_stream_and_epoch_each_change_the_order():
    counts = [20] * 9
    first = order(SampleOrder(counts, 1, "A/train/live"), 0, 180)
    assert first == order(SampleOrder(counts, 1, "A/train/live"), 0, 180)
    assert first != order(SampleOrder(counts, 2, "A/train/live"), 0, 180)
    assert first != order(SampleOrder(counts, 1, "B/train/live"), 0, 180)
    assert first != order(SampleOrder(counts, 1, "A/train/live"), 180, 180)


def test_the_order_never_changes_between_versions():
    # A run resumed by a later version must continue as it began. Changing this breaks checkpoints.
    expected = [(2, 2), (4, 1), (2, 0), (2, 3), (0, 2), (0, 1), (0, 0), (0, 2)]
    assert order(SampleOrder([3, 2, 4, 1, 2], 0, "A/train/live"), 5, 8) == expected


def test_a_window_bounds_what_is_held():
    visits = islice(SampleOrder([5] * 10, 0, "A/train/live").visits(), 30)
    assert {len(visit.shards) for visit in visits} == {WINDOW, 10 % WINDOW}


def test_a_distant_start_needs_no_walk_there():
    assert len(order(SampleOrder([250] * 6, 0, "A/train/live"), 10**15, 10)) == 10
