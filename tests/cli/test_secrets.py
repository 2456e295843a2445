"""Planted secrets are found nowhere: not in what commands print when they fail, and not in what they write."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Ending
from tests.planted import IN_URL, SECRETS, found_below, found_in
from tests.retrain.judged import Judged

ALL = (*SECRETS.values(), IN_URL)
URL = f"s3://AKIAPLANTED:{IN_URL}@bucket/faces"


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPLANTED")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RFMETA_LOG_FORMAT", "text")


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a server that is down."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def spec(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(f"apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {{name: night}}\nspec:\n{text}\n")
    return path


def with_registry(folder: Path, address: str) -> Path:
    path = folder / "retrain.yaml"
    base = {"data": {"prefix": str(folder), "sources": ["A", "B"]}}
    given = {"name": "shop", "folder": str(folder / "retrain"), "base": base, "registry": {"mlflow": address}}
    path.write_text(yaml.safe_dump(given))
    return path


# What each command is given, from the folder of the test and the address of a server that is down.
FAILING: dict[str, Callable[[Path, str, Path], tuple[object, ...]]] = {
    "a store's URL": lambda folder, down, config: ("shards", "ls", URL),
    "a prefix": lambda folder, down, config: ("train", config, "--set", f"data.prefix={URL}"),
    "a run's folder": lambda folder, down, config: ("train", config, "--set", f"run.folder={URL}"),
    "a registry's place": lambda folder, down, config: (
        *("models", "ls", with_registry(folder, f"http://{down}"), "--set", f"registry.place={URL}"),
    ),
    "a tracker": lambda folder, down, config: (
        *("train", config, "--set", f"tracking.mlflow=https://me:{IN_URL}@{down}"),
    ),
    "a registry that is down": lambda folder, down, config: (
        *("models", "ls", with_registry(folder, f"http://{down}")),
    ),
    "a store that is checked": lambda folder, down, config: ("doctor", "--store", URL, "--json"),
    "a cluster": lambda folder, down, config: (
        *("train", config, "--address", f"ray://me:{IN_URL}@127.0.0.1:1"),
    ),
    "a dashboard": lambda folder, down, config: (
        *("submit", spec(folder, "  entrypoint: main"), "--address", f"http://me:{IN_URL}@{down}"),
    ),
    "a token in a dashboard's URL": lambda folder, down, config: (
        *("submit", spec(folder, "  entrypoint: main"), "--address", f"http://{down}/?auth_token={IN_URL}"),
    ),
    "a variable of a job": lambda folder, down, config: (
        "submit",
        spec(
            folder,
            f"  entrypoint: main\n  runtimeEnvYAML: |\n    env_vars: {{AWS_SECRET_ACCESS_KEY: '{IN_URL}'}}",
        ),
        *("--address", f"http://{down}"),
    ),
    "a wrong field of a job": lambda folder, down, config: (
        *("submit", spec(folder, f"  entrypoint: main\n  entrypointNumCpus: '{IN_URL}'")),
    ),
}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("what", FAILING)
def test_commands_that_fail_do_not_print_a_secret(rfmeta, tmp_path, nobody, config, monkeypatch, what, form):
    monkeypatch.setattr("rfmeta_dist.cluster.jobs.LOST_S", 1.0, raising=False)
    ending: Ending = rfmeta("--log-format", form, *FAILING[what](tmp_path, nobody, config))
    assert ending.code > 0
    assert "Traceback" not in ending.err
    assert found_in((ending.out + ending.err).encode(), ALL) == []
    if form == "json":
        assert json.loads(ending.err.splitlines()[-1])["exit_code"] == ending.code


@pytest.mark.parametrize("proxy", [False, pytest.param(True, marks=pytest.mark.drill)])
def test_a_store_that_refuses_or_is_down_does_not_make_a_command_print_its_keys(
    rfmeta, s3, nobody, monkeypatch, proxy
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    if proxy:  # a name that is not on loopback, which goes through the proxy
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.example.org")
        monkeypatch.setenv("http_proxy", f"http://me:{IN_URL.replace('/', '')}@{nobody}")
    ending: Ending = rfmeta("shards", "ls", "s3://tests/planted")
    assert ending.code == 4
    assert found_in((ending.out + ending.err).encode(), (*ALL, IN_URL.replace("/", ""))) == []
    if not proxy:
        assert "AKIAPLANTED" not in ending.out
        assert "InvalidAccessKeyId" in ending.err or "AccessDenied" in ending.err


def test_a_retraining_and_its_registry_hold_no_secret(rfmeta, tmp_path):
    world = Judged(tmp_path)
    world.promoted()
    for command in (("ls",), ("show", 1), ("rollback", "--reason", "a test")):
        name, *further = command
        ending: Ending = rfmeta("models", name, world.file, *further)
        assert found_in((ending.out + ending.err).encode(), ALL) == [], command
    assert len(list(tmp_path.rglob("promotion.json"))) == 1
    assert found_below(tmp_path, ALL) == []


def test_an_error_of_the_program_itself_does_not_print_a_secret():
    script = (
        "import os; from rfmeta_dist.core import logs; logs.hide_credentials()\n"
        "raise KeyError({name: value for name, value in os.environ.items()})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "KeyError" in done.stderr
    assert "AKIAPLANTED" in done.stderr  # the environment was printed
    assert found_in(done.stderr.encode(), SECRETS.values()) == []


def test_what_commands_write_holds_no_secret(rfmeta, tmp_path, packed, config):
    for command in (
        ("shards", "preview", packed, "--domain", "A", "--out", tmp_path / "a.png"),
        ("shards", "stats", packed, "--subjects", "--json"),
        ("init", tmp_path / "project"),
        ("doctor", "--store", tmp_path / "store", "--json"),
    ):
        ending: Ending = rfmeta(*command)
        assert found_in((ending.out + ending.err).encode(), ALL) == [], command
    assert len(list(tmp_path.rglob("*"))) > 3
    assert found_below(tmp_path, ALL) == []
