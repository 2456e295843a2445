"""Run a function in a process of its own, which may end at any point, and stores that end it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any

KILLED = 9
_WRITES = ("create", "write", "replace", "delete", "register", "tag", "set_alias")


def forked(function: Callable[..., Any], *arguments: Any) -> int:
    """Start a child process that calls the function, and return its number. Its exit code is 1 after errors."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function(*arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - a child must not return into pytest
        traceback.print_exc()
    os._exit(code)


def ended(child: int) -> int:
    """Wait for a child process, and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Countdown:
    """Ends the process before or after a write.

    Args:
        last: number of the write, from 1, at which the process ends.
        after: end after the write instead of before.
    """

    def __init__(self, last: int, *, after: bool) -> None:
        self.left, self.after = last, after

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """Return the write, which counts."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if not self.left and not self.after:
                os._exit(KILLED)
            try:
                return write(*arguments, **named)
            finally:
                if not self.left:
                    os._exit(KILLED)

        return counted


class Deadly:
    """A store or a registry whose writes count, and end the process at one of them."""

    def __init__(self, real: Any, countdown: Countdown) -> None:
        self._real, self._countdown = real, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._countdown.around(found) if name in _WRITES else found
