"""Ends the worker processes that tests left up."""

from tests.strategy.conftest import teams

__all__ = ["teams"]
