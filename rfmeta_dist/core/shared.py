"""Share large values among the threads of a process that need them at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

V = TypeVar("V")


class _Turn:
    """A lock that a dictionary can refer to weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Shared(Generic[V]):
    """Values by key. A value is kept only as long as somebody else refers to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()
        self._values: WeakValueDictionary[Hashable, V] = WeakValueDictionary()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key, and call `make` for it if there is none.

        If several threads want the same key at the same time, one of them makes the value and the others wait.
        If it fails, its error is raised there, and the next thread calls its own `make`.

        Args:
            key: what the value depends on.
            make: returns a value that can be referred to weakly, which a plain list or dict cannot.
        """
        with self._lock:
            turn = self._turns.get(key)
            if turn is None:
                turn = self._turns[key] = _Turn()
        with turn.lock:
            with self._lock:
                found = self._values.get(key)
            if found is None:
                found = make()
                with self._lock:
                    self._values[key] = found
        return found
