"""Something done again and again in a thread of this process, while a context is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def periodically(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Call `do` every so many seconds while the context is open; none is under way afterwards.

    Args:
        seconds: between two calls, and before the first.
        do: what to call. An exception that leaves it ends the calls.
    """
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(seconds):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
