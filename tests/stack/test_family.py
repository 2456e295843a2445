"""Processes that detach themselves in every way are ended with the stack, whoever is killed first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack import family

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# A child that detaches a process: forked twice, in its own session, without an environment, deaf to signals.
DETACH = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        wait = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)"
        os.execve(sys.executable, ["detached", "-c", wait], {})
    os._exit(0)
time.sleep(600)
"""
KEEP = """
import signal, os, pathlib, subprocess, sys, time
from infra.stack import family
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which the tests may run, has it ignored
folder, detach, then = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def work():
    subprocess.Popen([sys.executable, "-c", detach], preexec_fn=family.end_with_parent)
    while len(family.descendants(os.getpid())) < 2:  # the child, and the one that it detached
        time.sleep(0.01)
    time.sleep(0.1)
    (folder / "new").write_text(str(os.getpid()))
    (folder / "new").rename(folder / "inner")
    if then == "end":
        return 5
    if then == "fail":
        raise ValueError("planted")
    time.sleep(600)

sys.exit(family.keep(work))
"""


class Kept:
    """A keeper, its inner process, and what they have started."""

    def __init__(self, folder: Path, then: str = "wait") -> None:
        command = [sys.executable, "-c", textwrap.dedent(KEEP), str(folder), DETACH, then]
        self.keeper = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        place = folder / "inner"
        wait_until(place.exists)
        self.inner = int(place.read_text())
        self.all = family.descendants(self.keeper.pid) if then == "wait" else []

    def left(self) -> list[family.Process]:
        return [process for process in self.all if running(process)]


def running(process: family.Process) -> bool:
    entry = family._entry(process.pid)
    return entry is not None and entry[0] != "Z" and entry[2] == process.start


def wait_until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    assert len(made.all) == 3  # inner, child, detached
    yield made
    family.kill(made.left())
    made.keeper.kill()
    made.keeper.wait()


@pytest.mark.parametrize("number", family.SIGNALS)
def test_a_signal_ends_what_was_detached(kept: Kept, number: int) -> None:
    kept.keeper.send_signal(number)
    assert kept.keeper.wait(20) == 128 + number
    assert kept.left() == []


def test_ctrl_c_twice_ends_it_all_the_same(kept: Kept) -> None:
    for _ in range(20):
        if kept.keeper.poll() is None:
            kept.keeper.send_signal(signal.SIGINT)
            time.sleep(0.005)
    assert kept.keeper.wait(20) == 130
    assert kept.left() == []


def test_if_the_supervisor_is_killed_its_keeper_ends_the_rest(kept: Kept) -> None:
    os.kill(kept.inner, signal.SIGKILL)
    assert kept.keeper.wait(20) == 137
    assert kept.left() == []


def test_if_the_keeper_is_killed_the_supervisor_ends_the_rest(kept: Kept) -> None:
    kept.keeper.kill()
    wait_until(lambda: kept.left() == [])


def test_if_both_are_killed_at_once_direct_children_end_and_a_detached_process_is_left(kept: Kept) -> None:
    for pid in (kept.keeper.pid, kept.inner):
        os.kill(pid, signal.SIGSTOP)
    for pid in (kept.inner, kept.keeper.pid):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(kept.left()) == 1)
    assert Path(f"/proc/{kept.left()[0].pid}/cmdline").read_bytes().startswith(b"detached")


@pytest.mark.parametrize(("then", "code", "said"), [("end", 5, ""), ("fail", 1, "ValueError: planted")])
def test_the_exit_code_and_the_error_of_the_work_are_the_keepers(tmp_path, then, code, said) -> None:
    kept = Kept(tmp_path, then)
    _, errors = kept.keeper.communicate(timeout=20)
    assert kept.keeper.returncode == code
    assert said in errors
    assert bool(said) == bool(errors)


def test_a_process_number_that_was_given_to_another_process_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        entry = family._entry(other.pid)
        assert entry is not None
        family.kill([family.Process(other.pid, entry[2] - 1)])
        time.sleep(0.05)
        assert other.poll() is None
        family.kill([family.Process(other.pid, entry[2])])
        assert other.wait(10) == -signal.SIGKILL
