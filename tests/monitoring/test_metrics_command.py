"""`rfmeta metrics` prints once or answers Prometheus, also while a store does not answer."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from rfmeta_dist.monitoring.exporter import Exporter
from rfmeta_dist.monitoring.server import TYPE, Server
from tests.monitoring.test_exporter import parsed, value
from tests.stored import BEFORE

FINISHED = BEFORE / "runs/finished"


def test_the_command_prints_what_prometheus_reads(rfmeta):
    ending = rfmeta("metrics", FINISHED)
    assert ending.code == 0, ending.err
    found = parsed(ending.out)
    assert value(found["rfmeta_run_steps"], run="finished") == 24
    assert value(found["rfmeta_store_up"], folder=str(FINISHED)) == 1


def test_the_same_as_json(rfmeta):
    found = json.loads(rfmeta("metrics", FINISHED, "--json").out)
    assert {"name": "rfmeta_run_steps", "value": 24, "labels": {"run": "finished", "target": "M"}} in found


def test_a_folder_without_anything_is_a_mistake(rfmeta, tmp_path: Path):
    ending = rfmeta("metrics", tmp_path)
    assert ending.code == 5
    assert f"there is no run, study or retraining in {tmp_path}" in ending.error


def test_a_store_that_does_not_answer_is_down_and_the_others_are_shown(rfmeta, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for name, given in (("ENDPOINT_URL", endpoint), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", given)
    ending = rfmeta("metrics", "s3://bucket/runs", FINISHED)
    assert ending.code == 4
    assert "1 of 2 folders cannot be read" in ending.error
    found = parsed(ending.out)
    assert value(found["rfmeta_store_up"], folder="s3://bucket/runs") == 0
    assert value(found["rfmeta_run_steps"]) == 24


@pytest.mark.parametrize("address", ["9464x", "127.0.0.1", "127.0.0.1:99999", "192.0.2.77:9464"])
def test_an_address_that_cannot_be_served_is_a_mistake(rfmeta, address: str):
    ending = rfmeta("metrics", FINISHED, "--serve", address)
    assert ending.code == 2
    assert address.rpartition(":")[0] in ending.error
    assert "--serve" in ending.error


def test_a_port_in_use_is_a_mistake(rfmeta):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ending = rfmeta("metrics", FINISHED, "--serve", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ending.code == 2
    assert "cannot listen" in ending.error


def test_json_and_serve_exclude_each_other(rfmeta):
    assert rfmeta("metrics", FINISHED, "--serve", ":0", "--json").code == 2


def test_the_server_answers_with_what_stands_in_the_store_now(tmp_path: Path):
    said: list[str] = []
    place = tmp_path / "runs"
    with Server("127.0.0.1", 0, Exporter([str(place)], said.append)) as server, server.renewed(0.05):
        Thread(target=server.serve_forever, daemon=True).start()
        with urlopen(server.url) as answer:
            assert answer.headers["Content-Type"] == TYPE
            assert "rfmeta_runs" not in parsed(answer.read().decode())
        shutil.copytree(BEFORE / "runs", place)
        deadline = time.monotonic() + 10
        while "rfmeta_runs" not in (found := parsed(urlopen(server.url).read().decode())):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert value(found["rfmeta_runs"], state="judged") == 1
        with pytest.raises(HTTPError, match="404"):
            urlopen(server.url.replace("/metrics", "/etc/passwd"))
        server.shutdown()
    with pytest.raises(OSError, match="refused"):
        urlopen(server.url)


def test_it_listens_on_loopback_and_sigterm_ends_it():
    command = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()"]
    with subprocess.Popen(
        [*command, "metrics", str(FINISHED), "--serve", ":0"], stderr=subprocess.PIPE, text=True, env=os.environ
    ) as service:
        assert service.stderr is not None
        line = next(line for line in service.stderr if line.startswith("figures at "))
        url = line.split()[2].rstrip(";")
        assert url.startswith("http://127.0.0.1:")
        assert value(parsed(urlopen(url).read().decode())["rfmeta_run_steps"]) == 24
        service.send_signal(signal.SIGTERM)
        assert service.wait(10) == 0
        assert service.stderr.read().splitlines() == ["ended"]
