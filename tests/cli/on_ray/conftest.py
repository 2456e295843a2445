"""One local Ray for the commands of this folder: to start one takes longer than their trainings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rfmeta_dist.cluster import session as sessions

_start = sessions.session


@pytest.fixture(scope="package")
def started() -> Iterator[None]:
    with _start(slots=2, torch=True):
        yield


@contextmanager
def _as_started_here(*arguments: Any, **named: Any) -> Iterator[bool]:
    """Connect to the Ray of this folder, and say that it was started for this command."""
    with _start(*arguments, **named):
        yield True


@pytest.fixture(autouse=True)
def _shared(started: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "session", _as_started_here)
