"""Objects read again while they do not look right, as an answer may end early without any sign of it."""

from __future__ import annotations

from collections.abc import Callable

_READS = 5


def read_sound(read: Callable[[], bytes], sound: Callable[[bytes], bool]) -> bytes:
    """Read until the answer is sound, or two in a row agree: what a store says twice is what it has.

    Args:
        read: reads the object; its errors are passed on.
        sound: whether an answer is what the object should be, as far as that is known.

    Returns:
        The object. If it is not sound, the last answer, for the caller to explain.
    """
    data = read()
    for _ in range(_READS - 1):
        if sound(data):
            break
        before, data = data, read()
        if data == before:
            break
    return data
