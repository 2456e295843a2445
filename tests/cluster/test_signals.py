"""A command's own handler of SIGTERM is in force again after Ray has started, which replaces it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rfmeta_dist.cluster.session import _handler_kept


def ends(number: int, _: Any) -> None:
    sys.exit(128 + number)


def as_ray_does(number: int, _: Any) -> None:
    sys.exit(number)


def started(then: Callable[[Any], Any], given: Any) -> None:
    """Replace the handler as Ray does, and then do something else, within the context."""
    with _handler_kept():
        signal.signal(signal.SIGTERM, as_ray_does)
        then(given)


@pytest.fixture
def own() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, ends)
    yield
    signal.signal(signal.SIGTERM, before)


def test_it_is_put_back_whether_ray_starts_or_not(own: None):
    with _handler_kept():
        signal.signal(signal.SIGTERM, as_ray_does)
    assert signal.getsignal(signal.SIGTERM) is ends
    with pytest.raises(ValueError, match="no room"):
        started(int, "no room")
    assert signal.getsignal(signal.SIGTERM) is ends


def test_a_signal_while_ray_starts_ends_the_command_with_its_own_code(own: None):
    with pytest.raises(SystemExit) as ending:
        started(signal.raise_signal, signal.SIGTERM)
    assert ending.value.code == 128 + signal.SIGTERM


def test_a_process_without_a_handler_keeps_that_of_ray():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        started(int, "1")
        assert signal.getsignal(signal.SIGTERM) is as_ray_does
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_changed(own: None):
    said: list[str] = []

    def start() -> None:
        with _handler_kept():
            said.append("started")

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert said == ["started"]
    assert signal.getsignal(signal.SIGTERM) is ends
