"""Set up Ray Data for the commands that use it."""

from __future__ import annotations

import logging

import ray.data


def quiet() -> None:
    """Let Ray Data print no progress and no tracebacks, and raise errors of tasks as they are."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it prints a traceback of every error
    context = ray.data.DataContext.get_current()
    context.raise_original_map_exception = True  # otherwise only the text of an RfmetaError arrives
    context.enable_progress_bars = False
    context.print_on_execution_start = False
