"""infra/local with everything: it listens on loopback, keeps secrets, and leaves nothing however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.stack import family, prometheus
from tests.local_stack import RFMETA, ROOT, Stack, is_open, listening, running

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
# A job that detaches a process from everything that a process can detach itself from, and then works for ever.
JOB = """
import os, subprocess, sys, time
import ray
ray.init()
code = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(10**6)"
subprocess.Popen([sys.executable, "-c", code], env={}, start_new_session=True)
print("working", flush=True)
ray.get([ray.remote(lambda: time.sleep(10**6)).remote() for _ in range(2)])
"""


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    made: list[Stack] = []

    def start(*options: str) -> Stack:
        made.append(Stack(tmp_path / "cluster", *options))
        return made[-1]

    yield start
    for stack in made:
        stack.close()


def follow_until(stack: Stack, words: str) -> subprocess.Popen[str]:
    """Submit the job and return the command that follows it, once the job has said something."""
    (stack.folder / "job.py").write_text(JOB)
    spec = {"entrypoint": f"{sys.executable} {stack.folder}/job.py", "entrypointNumCpus": 0}
    job = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "endless"}, "spec": spec}
    (stack.folder / "job.yaml").write_text(json.dumps(job))
    command = stack.start(*RFMETA, "submit", str(stack.folder / "job.yaml"))
    assert command.stdout is not None
    shown = ""
    for line in command.stdout:
        shown += line
        if line.strip() == words:
            return command
    raise AssertionError(shown)


def infra(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.stack", *words, "--folder", str(stack.folder)]
    return subprocess.run(command, cwd=ROOT, env=stack.outside, capture_output=True, text=True, check=False)


def status(url: str, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def containing(folder: Path, secret: str) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def secrets_of(stack: Stack) -> list[str]:
    """Return the token and the store's secret key, which the nodes have in their environment."""
    for process in stack.members():
        found = re.search(rb"AWS_SECRET_ACCESS_KEY=([^\0]+)", Path(f"/proc/{process.pid}/environ").read_bytes())
        if found:
            return [stack.token, found[1].decode()]
    raise AssertionError("no process has the store's key")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_process_no_port_and_no_secret(new, tmp_path: Path, number: int) -> None:
    stack = new("--workers", "1", "--cpus", "2")
    stack.wait()
    url = stack.client["RAY_API_SERVER_ADDRESS"]
    assert [status(f"{url}/api/jobs/", token) for token in ("", "0" * 64, stack.token)] == [401, 403, 200]
    follower = follow_until(stack, "working")
    members, secrets = stack.members(), secrets_of(stack)
    ports = listening(members)
    assert len(ports) > 10
    assert {port: address for port, address in ports.items() if address not in LOOPBACK} == {}
    temp = Path(re.search(r"--temp-dir=(\S+)/0\0", commands(members))[1])  # type: ignore[index]
    assert not any(secret in commands(members) for secret in secrets)
    assert [containing(stack.folder, secret) for secret in secrets] == [[stack.folder / "token"], []]
    took = stack.end(number)
    assert running(members) == []
    assert [port for port in ports if is_open(port)] == []
    assert [containing(tmp_path, secret) for secret in secrets] == [[], []]
    assert not temp.exists()
    assert took < 30
    follower.kill()
    follower.wait()


def commands(members: list[family.Process]) -> str:
    return "\n".join(Path(f"/proc/{p.pid}/cmdline").read_text(errors="replace") for p in members)


def test_a_lost_worker_is_told_and_the_rest_goes_on_and_a_lost_head_ends_it(new) -> None:
    stack = new("--workers", "2", "--cpus", "1")
    stack.wait()
    raylets = {
        name: p.pid
        for p in stack.members()
        for name in ("/0/", "/1/", "/2/")
        if f"{name}session" in (line := Path(f"/proc/{p.pid}/cmdline").read_text(errors="replace"))
        and "raylet_socket_name" in line
    }
    os.kill(raylets["/2/"], signal.SIGKILL)
    stack.wait("worker-2    dead")
    time.sleep(3)
    shown = infra(stack, "status", "--json")
    states = {s["name"]: s["state"] for s in json.loads(shown.stdout)["services"]}
    assert shown.returncode == 1
    assert states.pop("worker-2") == "dead"
    assert set(states.values()) == {"healthy"}
    assert "signal 9" in stack.said()  # from the last lines of its log
    members = stack.members()
    os.kill(raylets["/0/"], signal.SIGKILL)
    assert stack.process.wait(60) == 6
    assert "the head has ended, so the stack ends" in stack.said()
    assert running(members) == []


def test_a_second_stack_in_the_folder_is_refused_and_down_ends_the_first(new) -> None:
    stack = new("--workers", "0")
    stack.wait()
    second = infra(stack, "up")
    assert second.returncode == 5
    assert f"as process {stack.process.pid}" in " ".join(second.stderr.split())
    assert infra(stack, "status").returncode == 0
    if prometheus.installed():
        scraped = scraped_series(stack)
        assert "ray_node_cpu_count" in scraped
    members = stack.members()
    assert infra(stack, "down").returncode == 0
    assert stack.process.wait(5) == 128 + signal.SIGTERM
    assert running(members) == []


def scraped_series(stack: Stack) -> set[str]:
    """Return the names of Prometheus's series, once it has scraped a node of Ray."""
    address = re.search(r"prometheus  healthy   (\S+)", stack.said())
    assert address is not None
    names: set[str] = set()
    deadline = time.monotonic() + 90
    while "ray_node_cpu_count" not in names and time.monotonic() < deadline:
        with urllib.request.urlopen(f"{address[1]}/api/v1/label/__name__/values", timeout=20) as answer:
            names = set(json.load(answer)["data"])
        time.sleep(1)
    return names


def test_killed_the_keeper_or_the_supervisor_nothing_is_left(new) -> None:
    stack = new("--workers", "0", "--without", "prometheus")
    stack.wait()
    members = stack.members()
    supervisor = next(p.pid for p in members if parent(p.pid) == stack.process.pid)
    os.kill(supervisor, signal.SIGKILL)
    assert stack.process.wait(60) == 137
    assert running(members) == []
    assert not (stack.folder / "token").exists()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
