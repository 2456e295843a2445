"""A JSON log has one whole object for every line, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rfmeta_dist.core import logs
from rfmeta_dist.core.trace import hand_on, trace_id


@contextmanager
def opened() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Write a JSON log while the context is open. Yield a function that returns its objects so far.

    It is no fixture, because pytest sets stderr again after the fixtures.
    """
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(logs.VARIABLE, "text")
        patch.setattr(sys, "stderr", out)
        logs.open_json("train")
        try:
            yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
        finally:
            logs.close_json()


def test_every_line_on_stderr_is_an_object():
    with opened() as written:
        sys.stderr.write("\x1b[31mred\x1b[0m and\r\n")
        sys.stderr.writelines(["two", " ", "words", "\n"])
        sys.stderr.write("10 %\r50 %\r100 %\n\n  \nhalf")
        found = written()
        assert [line["message"] for line in found] == ["red and", "two words", "100 %"]
        assert {line["level"] for line in found} == {"warning"}
        assert {line["command"] for line in found} == {"train"}
        assert {line["trace"] for line in found} == {trace_id()}
        assert all(line["time"].endswith("Z") for line in found)
        sys.stderr.write(" a line\n")
        assert written()[-1]["message"] == "half a line"


def test_loggers_and_warnings_are_objects_and_line_ends_are_escaped(monkeypatch):
    with opened() as written:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
        try:
            raise ValueError("broken\nin two, with planted-secret")
        except ValueError:
            logging.getLogger("some.library").exception("it\nfailed")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", FutureWarning, stacklevel=1)
        failed, old = written()
        assert failed["logger"] == "some.library"
        assert failed["level"] == "error"
        assert failed["message"].startswith("it\nfailed\nTraceback")
        assert failed["message"].endswith("in two, with ***")
        assert old["logger"] == "py.warnings"
        assert "FutureWarning: old" in old["message"]


def test_lines_of_threads_are_not_mixed():
    with opened() as written:

        def say(name: str) -> None:
            for _ in range(200):
                for letter in name * 20:
                    sys.stderr.write(letter)
                sys.stderr.write("\n")

        threads = [threading.Thread(target=say, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(line["message"] for line in written()) == sorted(
            c * 20 for c in "abcd" for _ in range(200)
        )


@pytest.mark.parametrize("code", ["1 / 0", "threading.Thread(target=lambda: 1 / 0).start()"])
def test_an_error_that_nobody_catches_is_one_object(code):
    opened = "from rfmeta_dist.core import logs; logs.hide_credentials(); logs.open_json('x')"
    script = f"import threading; {opened}; {code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    (line,) = map(json.loads, done.stderr.splitlines())
    assert (line["level"], line["error"]) == ("critical", "ZeroDivisionError")
    assert "Traceback" in line["message"]


def test_a_reader_that_has_gone_ends_the_program_quietly():
    script = (
        "import sys, time; from rfmeta_dist.core import logs; logs.open_json('x')\n"
        "for _ in range(100): print('line', file=sys.stderr); time.sleep(0.02)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    assert process.wait(30) == 141


def test_the_trace_id_is_that_of_the_job(monkeypatch):
    monkeypatch.delenv("RFMETA_TRACE", raising=False)
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    own = trace_id()
    assert own.startswith("local-")
    assert trace_id() == own
    monkeypatch.setenv(
        "RAY_JOB_CONFIG_JSON_ENV_VAR", '{"metadata": {"job_submission_id": "train-1796000000-0"}}'
    )
    assert trace_id() == "train-1796000000-0"
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "no JSON")
    assert trace_id() == own
    monkeypatch.setenv("RFMETA_TRACE", "nightly 7\n<b>")
    assert trace_id() == "nightly-7--b-"
    assert hand_on() == trace_id()
    monkeypatch.setenv("RFMETA_TRACE", "x" * 1000)
    assert len(trace_id()) == 128
