"""Read an object again if it looks incomplete: a store's answer may end early without an error."""

from __future__ import annotations

from collections.abc import Callable

_READS = 5


def read_sound(read: Callable[[], bytes], sound: Callable[[bytes], bool]) -> bytes:
    """Read an object until its content is correct, at most five times.

    If two reads in a row give the same wrong content, the object itself is wrong and reading stops.

    Args:
        read: reads the object; its errors are passed on.
        sound: returns True if the content is correct, as far as the caller can check it.

    Returns:
        The content. If it was never correct, the content of the last read; the caller must check it.
    """
    data = read()
    for _ in range(_READS - 1):
        if sound(data):
            break
        before, data = data, read()
        if data == before:
            break
    return data
