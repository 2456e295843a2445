"""Ends the worker processes that tests left up."""

from collections.abc import Iterator

import pytest

from tests.team import dismiss


@pytest.fixture(scope="session", autouse=True)
def teams() -> Iterator[None]:
    yield
    dismiss()
