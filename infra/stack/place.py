"""The folder of a local stack: who runs it, its token, what a client needs, and the state of its services."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import RunError

_END_S = 120  # seconds in which a stack must have ended


class Place:
    """A folder with lock, token, client.env, state.json, logs/ and the data of the services.

    Args:
        folder: made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self.token_file = self.folder / "token"
        self.client_file = self.folder / "client.env"
        self._state, self._lock = self.folder / "state.json", self.folder / "lock"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder while the context is open.

        Raises:
            RunError: another process holds it.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as lock:
            try:
                # The lock ends with the last process that holds it, even if it is killed.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"a stack runs in {self.folder} already, as process {self._holder()}",
                    f"end it with: infra/local down --folder {self.folder}; or choose another --folder",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                for path in (self.token_file, self.client_file, self._state):
                    path.unlink(missing_ok=True)
                lock.truncate(0)  # the number may soon be that of another process

    def running(self) -> bool:
        """Return True if a stack runs in the folder."""
        try:
            with self._lock.open("r") as lock:
                # A shared lock, so that two who ask at the same time do not take one another for a stack.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def end(self) -> bool:
        """Send SIGTERM to the stack of this folder and wait until it has ended. Return False if none runs.

        Raises:
            RunError: it has not ended within 120 s.
        """
        if not self.running():
            return False
        asked, deadline = "", time.monotonic() + _END_S
        while self.running():
            holder = self._holder()
            if (
                holder.isdecimal() and holder != asked
            ):  # a stack that has just begun writes its number a moment later
                with suppress(ProcessLookupError):
                    os.kill(int(holder), signal.SIGTERM)
                asked = holder
            if time.monotonic() > deadline:
                raise RunError(
                    f"the stack of {self.folder} (process {self._holder()}) has not ended within {_END_S} s",
                    f"look into {self.logs}; SIGKILL to this process ends what it has started, too",
                )
            time.sleep(0.1)
        return True

    def new_token(self) -> str:
        """Write a new token, which only this user can read, and return it."""
        token = secrets.token_hex(32)
        self.token_file.unlink(missing_ok=True)
        descriptor = os.open(self.token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
        return token

    def write_client(self, dashboard: str) -> None:
        """Write what a shell needs to submit jobs. It names the token's file and does not contain the token."""
        self.client_file.write_text(
            f"export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH='{self.token_file}'\n"
            f"export RAY_API_SERVER_ADDRESS={dashboard}\n"
            "unset RAY_AUTH_TOKEN RAY_ADDRESS\n"  # they would go before the variables above
        )

    def write_state(self, services: list[dict[str, str]]) -> None:
        """Replace the file that `infra/local status` reads."""
        new = self._state.with_suffix(".new")
        new.write_text(json.dumps({"time": time.time(), "services": services}, indent=1))
        new.replace(self._state)

    def read_state(self) -> dict[str, Any]:
        """Return what `write_state` wrote last; no services if there is nothing yet."""
        try:
            state: dict[str, Any] = json.loads(self._state.read_text())
        except FileNotFoundError:
            return {"time": 0.0, "services": []}
        return state

    def _holder(self) -> str:
        return self._lock.read_text().strip()
