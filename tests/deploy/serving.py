"""Start `rfmeta serve` as a process of its own, with the base and the extra `serve` alone, and talk to it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lighter import MAIN, ROOT, WITHOUT, absent

LIMITS = """
from rfmeta_dist.deploy.service import limits
vars(limits).update({changes!r})
"""


@dataclass
class Answer:
    """What the service said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Service:
    """A process that serves, and what it has printed before it listened."""

    process: subprocess.Popen[str]
    port: int
    said: str

    def ask(self, path: str, body: Any = None, timeout: float = 150, **headers: str) -> Answer:
        """Send a request, POST if it has a body, and return the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET" if body is None else "POST", path, body, named)
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def connect(self, head: bytes = b"") -> socket.socket:
        """Open a connection and send the beginning of a request."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=150)
        opened.sendall(head)
        return opened

    def metrics(self) -> dict[str, float]:
        """Return each metric by its name with labels."""
        lines = self.ask("/metrics").body.decode().splitlines()
        return {
            name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))
        }

    def memory(self) -> int:
        """Return the resident memory in MiB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096 >> 20

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, and return the exit code and what was printed since the service listens."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=150)
        return self.process.returncode, said


def command(package: Path, *options: object, **changes: object) -> list[str]:
    """Return the command that serves a package on a free port, with some constants of limits.py changed."""
    code = WITHOUT + (LIMITS.format(changes=changes) if changes else "") + MAIN
    arguments = ["serve", package, "--port", 0, *options]
    return [sys.executable, "-c", code, ",".join(sorted(absent("serve"))), *map(str, arguments)]


@contextmanager
def served(package: Path, *options: object, **changes: object) -> Iterator[Service]:
    """Start the service and wait until it listens; kill it at the end if it still runs."""
    process = subprocess.Popen(
        command(package, *options, **changes), stderr=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"listening on http://\S+:(\d+)", line):
                yield Service(process, int(found[1]), said)
                break
        else:
            raise AssertionError(f"the service ended: {said}")
    finally:
        process.kill()
        process.wait()


def received(connection: socket.socket) -> bytes:
    """Return everything until the other side closes the connection."""
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found
