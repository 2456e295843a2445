"""With --log-format json, stderr holds JSON objects alone, and stdout is as without it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rfmeta_dist.core.errors import ConfigError
from tests.conftest import Ending


@pytest.fixture(autouse=True)
def _text_afterwards(monkeypatch):
    monkeypatch.setenv("RFMETA_LOG_FORMAT", "text")
    monkeypatch.setenv("RFMETA_TRACE", "nightly-7")


def objects(ending: Ending) -> list[dict[str, object]]:
    found = [json.loads(line) for line in ending.err.splitlines()]
    assert all({"time", "level", "message", "trace", "command"} <= line.keys() for line in found)
    assert all(line["trace"] == "nightly-7" for line in found)
    return found


def test_an_error_has_problem_remedy_and_exit_code(rfmeta, tmp_path):
    ending = rfmeta("--log-format", "json", "train", tmp_path / "none.yaml")
    (line,) = objects(ending)
    assert (ending.code, line["exit_code"], line["error"]) == (2, 2, "ConfigError")
    assert line["level"] == "error"
    assert line["command"] == "train"
    assert str(ConfigError(str(line["problem"]), str(line["remedy"]))) == line["message"]
    assert "rfmeta example" in str(line["remedy"])


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("train",), "train"),
        (("train", "x.yaml", "--nosuch"), "train"),
        (("models", "show", "x.yaml", "three"), "models show"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_object_too(rfmeta, arguments, command):
    ending = rfmeta("--log-format", "json", *arguments)
    (line,) = objects(ending)
    assert (ending.code, line["exit_code"], line["command"]) == (2, 2, command)
    assert line["remedy"] == f"see: rfmeta {command} --help"


def test_the_variable_asks_for_it_and_the_option_wins(rfmeta, monkeypatch):
    monkeypatch.setenv("RFMETA_LOG_FORMAT", "json")
    assert objects(rfmeta("nosuch"))[0]["exit_code"] == 2
    assert "nosuch" in rfmeta("--log-format", "text", "nosuch").err
    assert not rfmeta("--log-format", "text", "nosuch").err.startswith("{")
    monkeypatch.setenv("RFMETA_LOG_FORMAT", "xml")
    assert rfmeta("doctor").code == 2


def test_results_stay_and_messages_become_objects(rfmeta, packed, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich take a pipe for a terminal
    text = rfmeta("shards", "verify", packed)
    as_json = rfmeta("--log-format", "json", "shards", "verify", packed)
    assert as_json.out == text.out
    assert as_json.code == text.code == 0
    told = [str(line["message"]) for line in objects(as_json)]
    assert any("no errors" in line for line in told)
    assert not [line for line in told if "\x1b" in line]
    assert {line["command"] for line in objects(as_json)} == {"shards verify"}


def test_the_parts_of_a_mistake_hide_credentials(rfmeta, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "planted-8f3a")
    ending = rfmeta("--log-format", "json", "train", "x.yaml", "--planted-8f3a")
    assert (ending.code, "planted-8f3a" in ending.err) == (2, False), ending.err


def test_a_last_line_without_an_end_is_written():
    program = "from rfmeta_dist.core import logs; logs.open_json(''); import sys; sys.stderr.write('a\\nb')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == ["a", "b"]
