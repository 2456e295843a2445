"""Call a function repeatedly in a thread of this process while a context is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def periodically(seconds: float, do: Callable[[], None]) -> Iterator[None]:
    """Call `do` every `seconds` while the context is open. When the context has ended, no call is running.

    Args:
        seconds: time between two calls, and before the first one.
        do: the function to call. If it raises an exception, it is not called again.
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
