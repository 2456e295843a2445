"""Start infra/local for a test, submit to it, and look for what is left of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from infra.stack import family

ROOT = Path(__file__).parents[1]
LONGEST_S = 240  # for a stack to start, on a busy machine
RFMETA = (sys.executable, "-c", "from rfmeta_dist.cli import main; main()")


class Stack:
    """A stack in a folder, with free ports.

    Args:
        folder: of the stack; it must be new.
        options: more words for `infra/local up`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.log = folder, folder.with_suffix(".log")
        others = ("RAY_", "AWS_", "MLFLOW_")
        self.outside = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        self.outside |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        free = [f"--port={name}=0" for name in ("dashboard", "tracking", "prometheus", "metrics")]
        command = [sys.executable, "-m", "infra.stack", "up", "--folder", str(folder), *free, *options]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.outside, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, words: str = "the stack is ready") -> None:
        """Wait until the stack has said something."""
        deadline = time.monotonic() + LONGEST_S
        while words not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.2)

    def said(self) -> str:
        """Return what the stack has printed."""
        return self.log.read_text()

    @property
    def client(self) -> dict[str, str]:
        """Return the environment of somebody who has sourced client.env."""
        text = (self.folder / "client.env").read_text()
        return self.outside | dict(re.findall(r"(RAY_\w+)='?([^\s']+)", text))

    @property
    def token(self) -> str:
        """Return the token."""
        return (self.folder / "token").read_text()

    def members(self) -> list[family.Process]:
        """Return the running processes of the stack."""
        return family.descendants(self.process.pid)

    def end(self, number: int = signal.SIGINT, seconds: float = 60) -> float:
        """Send a signal, check the exit code, and return the seconds until the stack had ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(seconds) == 128 + number, self.said()
        return time.monotonic() - began

    def close(self) -> None:
        """End the stack in any case."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                family.kill([*self.members()])
                self.process.kill()

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a command as a client of the stack."""
        pipe = subprocess.PIPE
        environment = self.client | more
        return subprocess.Popen(
            words, cwd=self.folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )


def running(processes: list[family.Process]) -> list[int]:
    """Return the numbers of those of the processes that still run."""
    entries = {p: family._entry(p.pid) for p in processes}
    return [p.pid for p, entry in entries.items() if entry and entry[0] != "Z" and entry[2] == p.start]


def listening(processes: list[family.Process]) -> dict[int, str]:
    """Return the ports on which the processes listen, each with its address in hexadecimal."""
    sockets = set()
    for process in processes:
        for link in Path(f"/proc/{process.pid}/fd").glob("*"):
            try:
                sockets.add(str(link.readlink()))
            except OSError:
                continue
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, _, port = fields[1].rpartition(":")
                found[int(port, 16)] = address
    return found


def is_open(port: int) -> bool:
    """Return True if something listens on a port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
