"""`rfmeta submit`: deadlines, detached jobs, a head that forgets, and Ctrl-C on a terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rfmeta_dist.cluster.jobs import limits
from tests.jobs_api import jobs_api

CLUSTER, TIMED_OUT = 6, 124


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "QUIET_S": 0.1,
        "RETRY_S": 0.1,
        "LOST_S": 1.0,
        "POLL_S": 0.05,
        "PENDING_S": 0.1,
    }.items():
        monkeypatch.setattr(limits, name, seconds)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def spec(folder: Path, more: str = "") -> Path:
    path = folder / "job.yaml"
    path.write_text(f"kind: RayJob\nmetadata: {{name: j}}\nspec:\n  entrypoint: 'true'\n{more}")
    return path


LIMITS = "  activeDeadlineSeconds: 1\n  backoffLimit: 2\n"


def test_a_job_is_stopped_at_its_deadline_and_not_tried_again(rfmeta, tmp_path):
    with jobs_api(silent=True, running=10_000) as api:
        ending = rfmeta("submit", spec(tmp_path, LIMITS), "--address", api.address, "--json")
    assert ending.code == TIMED_OUT, ending.err
    (body,) = api.submitted
    assert api.stopped == [body["submission_id"]]
    assert json.loads(ending.out)["exit_code"] == TIMED_OUT
    assert "passed its deadline: spec.activeDeadlineSeconds is 1" in ending.err
    assert ending.err.count("step 3") == 1


def test_a_failed_job_is_not_tried_again_after_its_deadline(rfmeta, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "RETRY_S", 0.6)  # seconds that a failed attempt takes
    with jobs_api(cut_after=[0] * 1000, running=1, status="FAILED", code=3) as api:
        more = "  activeDeadlineSeconds: 1\n  backoffLimit: 100\n"
        ending = rfmeta("submit", spec(tmp_path, more), "--address", api.address)
    assert ending.code in (3, TIMED_OUT), ending.err
    assert "deadline" in ending.err
    assert 1 <= len(api.submitted) < 101


def test_a_pending_job_at_its_deadline_is_said_to_be_one_that_ray_cannot_stop(rfmeta, tmp_path):
    with jobs_api(silent=True, log=[], running=10_000, before="PENDING", stops=False) as api:
        ending = rfmeta("submit", spec(tmp_path, LIMITS), "--address", api.address)
    assert (ending.code, "Ray cannot stop" in ending.error, len(api.submitted)) == (CLUSTER, True, 1), (
        ending.err
    )


@pytest.mark.parametrize("more", [LIMITS, ""])
def test_a_detached_job_is_named_and_what_nobody_watches_is_said(rfmeta, tmp_path, more):
    with jobs_api(running=10_000) as api:
        ending = rfmeta("submit", spec(tmp_path, more), "--address", api.address, "--detach")
        result = rfmeta("submit", spec(tmp_path, more), "--address", api.address, "--detach", "--json")
    identifier = api.submitted[0]["submission_id"]
    assert (ending.code, ending.out) == (0, f"{identifier}\n")
    for verb in ("logs", "wait", "stop"):
        assert f"rfmeta jobs {verb} {identifier}" in ending.err
    assert ("spec.backoffLimit (2) and spec.activeDeadlineSeconds (1) will not be kept" in ending.err) == bool(
        more
    )
    assert json.loads(result.out)["exit_code"] is None
    assert api.connections == 0


def test_a_head_that_was_started_anew_has_lost_the_job(rfmeta, tmp_path):
    with jobs_api(cut_after=[1] * 1000, running=1000, forgets_after=2) as api:
        started = time.monotonic()
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert ending.code == CLUSTER
    assert "no longer knows job" in ending.error
    assert time.monotonic() - started < limits.LOST_S * 5


def test_an_identifier_that_is_taken_is_named(rfmeta, tmp_path):
    with jobs_api(taken=True) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, api.submitted) == (CLUSTER, []), ending.err
    assert "has a job j-" in ending.error


def test_who_interrupts_a_submission_learns_how_to_look_for_the_job(rfmeta, tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "LOST_S", 30)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with jobs_api(starting=10_000) as api:

        def interrupt() -> None:
            while api.starting == 10_000:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    signal.signal(signal.SIGINT, before)
    assert (ending.code, "rfmeta jobs show j-" in ending.err) == (130, True), ending.err


def test_why_an_environment_could_not_be_made_is_said_in_full(rfmeta, tmp_path):
    message = "runtime_env setup failed: Failed to set up runtime environment.\nNo matching distribution for a"
    with jobs_api(status="FAILED", code=None, message=message) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, "No matching distribution for a\n" in ending.err) == (1, True), ending.err


@pytest.mark.parametrize(
    ("answer", "stops"),
    [(b"y\n", True), (b"\x03", False), pytest.param(b"\n", False, marks=pytest.mark.drill)],
    ids=["yes", "Ctrl-C again", "Enter"],
)
def test_ctrl_c_on_a_terminal_asks_whether_to_stop_the_job(tmp_path, answer, stops):
    with jobs_api(silent=True, running=10_000) as api:
        program = "from rfmeta_dist.cli import main; main()"
        command = [sys.executable, "-c", program, "submit", str(spec(tmp_path))]
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*command, "--address", api.address],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # The first terminal that a session opens is the one whose Ctrl-C it gets.
            preexec_fn=lambda: os.close(os.open(os.ttyname(theirs), os.O_RDWR)),  # noqa: PLW1509
        )
        os.close(theirs)
        seen = until(ours, b"step 3")
        os.write(ours, b"\x03")
        seen += until(ours, b"[y/N]")
        time.sleep(0.3)  # a signal that comes just before the answer is read would wait for the next key
        os.write(ours, answer)
        seen += until(ours, b"has ended" if stops else b"keeps running")
        assert process.wait(30) == 130, seen
        os.close(ours)
    assert len(api.stopped) == int(stops), seen
    assert b"Traceback" not in seen


def until(terminal: int, words: bytes) -> bytes:
    """What a terminal shows until these words; the rest if its program ends before."""
    seen = b""
    while words not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break
    assert words in seen, seen
    return seen
