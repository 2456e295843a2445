"""Open a client of MLflow with settings that suit a program: short waits, no telemetry, no progress bars."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SQLITE = "sqlite:///"
# A server that is down must cost seconds. MLflow's own values are 7 retries of 120 s. And it must not send
# telemetry, nor draw its own progress bars.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def mlflow_client(address: str) -> Any:
    """Return MLflow's client for runs and for registered models. Importing it takes 1 to 10 seconds.

    Args:
        address: `https://…` of a server, or `sqlite:////path/of/a.db`, which is created if it does not exist.

    Raises:
        Exception: whatever MLflow raises if a database cannot be opened. A server is not contacted here.
    """
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for chatty in ("mlflow", "alembic", "urllib3"):  # a failure is told once, by the caller
        logging.getLogger(chatty).setLevel(logging.ERROR)
    if not address.startswith(SQLITE):
        return MlflowClient(
            address, address
        )  # without an address, it would make mlflow.db in the current folder
    path = Path(address.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        client = MlflowClient(address, address)
        client.search_registered_models(max_results=1)  # also creates the tables of the registry
    return client


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Let one process at a time open a database: two that create its tables at once end with an error."""
    with database.with_name(f"{database.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
