"""End the worker processes that tests started."""

from tests.strategy.conftest import teams

__all__ = ["teams"]
