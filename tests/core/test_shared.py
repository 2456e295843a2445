"""Values that several threads need at the same time are made once, and freed afterwards."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rfmeta_dist.core.shared import Shared

THREADS = 8


class Numbers(list[int]):
    """A list that can be referred to weakly."""


def test_threads_that_want_a_value_at_once_get_the_same_one_and_others_do_not_wait():
    shared: Shared[Numbers] = Shared()
    made: list[str] = []
    other = threading.Event()
    begun = threading.Barrier(THREADS)

    def slow() -> Numbers:
        made.append("slow")
        assert other.wait(10)  # while this value is made, that of another key can be made
        return Numbers([1])

    def want(number: int) -> Numbers:
        begun.wait(10)
        if number:
            return shared.get("slow", slow)
        found = shared.get("other", lambda: Numbers([2]))
        other.set()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        first, *rest = pool.map(want, range(THREADS))
    assert first == [2]
    assert len({id(one) for one in rest}) == 1
    assert made == ["slow"]


def test_a_value_is_made_again_when_nobody_holds_it():
    shared: Shared[Numbers] = Shared()
    held = shared.get("key", lambda: Numbers([1]))
    assert shared.get("key", lambda: Numbers([2])) is held
    del held
    gc.collect()
    assert shared.get("key", lambda: Numbers([3])) == [3]


def test_an_error_reaches_the_one_whose_call_failed_and_the_next_tries_itself():
    shared: Shared[Numbers] = Shared()

    def fail() -> Numbers:
        raise OSError("no answer")

    for _ in range(2):
        with pytest.raises(OSError, match="no answer"):
            shared.get("key", fail)
    assert shared.get("key", lambda: Numbers([1])) == [1]
