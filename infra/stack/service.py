"""One service of the stack: how it is started, whether it is healthy, what its log said last."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from infra.stack import family

_ANSWER_S = 10
_STARTS = 3
Probe = Callable[[], bool]


@dataclass
class Service:
    """A service of the stack.

    Attributes:
        name: such as `head`.
        where: its address, for the user.
        log: file that gets what it prints.
        healthy: returns True if it answers as it should.
        process: the running process; None for one that is not started yet.
        state: starting, healthy, unwell (it was healthy and does not answer) or dead.
        needed: True if the stack ends when this service does.
        members: its process and those below it, as last seen.
        starts: how often it has been started. One that ends before it was healthy is started again, because Ray
            gives a node only 30 s to start, which is too short on a busy machine.
    """

    name: str
    where: str
    log: Path
    healthy: Probe
    process: subprocess.Popen[bytes] | None = None
    state: str = "starting"
    needed: bool = False
    members: list[family.Process] = field(default_factory=list)
    starts: int = 0
    _command: list[str] = field(default_factory=list)
    _environment: dict[str, str] = field(default_factory=dict, repr=False)

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Start the process. It gets SIGTERM from the kernel if this process is killed."""
        self._command, self._environment = command, environment
        self.starts += 1
        with self.log.open("wb" if self.starts == 1 else "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=family.end_with_parent,  # noqa: PLW1509 -- one system call, safe beside threads
            )

    def look(self) -> bool:
        """Ask the service how it is and set `state`. Return True if the state has changed."""
        before = self.state
        if before == "dead" or self.process is None:
            return False
        ended = self.process.poll() is not None
        if ended and before == "starting" and 0 < self.starts < _STARTS:
            self.start(self._command, self._environment)
        elif ended:
            self.state = "dead"
            family.kill(self.members)  # such as the agents of a Ray node whose raylet was killed
        else:
            well = self.healthy()
            self.state = "healthy" if well else "starting" if before == "starting" else "unwell"
            if well:
                self.members = family.descendants(self.process.pid)
        return self.state != before

    def last_lines(self, number: int = 8) -> list[str]:
        """Return the last lines of the log that are not empty."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line.expandtabs() for line in text.splitlines() if line.strip()][-number:]


def answers(url: str, token: str = "", status: int = 200) -> bool:
    """Return True if a server answers a request with the status."""
    return fetch(url, token)[0] == status


def fetch(url: str, token: str = "") -> tuple[int, bytes]:
    """Return status and body of an answer; 0 if there is none."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
    except (OSError, http.client.HTTPException):  # such as an answer that was cut off when the server ended
        return 0, b""


def alive_nodes(dashboard: str, token: str) -> set[str]:
    """Return the names of the Ray nodes that the head counts as alive."""
    status, body = fetch(f"{dashboard}/api/v0/nodes?limit=1000&detail=0", token)
    with suppress(ValueError, LookupError, TypeError):  # a head that ends may answer with something else
        nodes = json.loads(body)["data"]["result"]["result"] if status == 200 else []
        return {node["node_name"] for node in nodes if node["state"] == "ALIVE"}
    return set()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what points Ray or its clients to another cluster or store."""
    others = ("RAY_", "AWS_", "MLFLOW_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}
