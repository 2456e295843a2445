"""The service ends after the requests in work, and does not start where it could not serve."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import ConfigError, InstallationError, PackageError
from tests.deploy.serving import Service, command, served
from tests.deploy.test_serve import PICTURES
from tests.deploy.test_serve_limits import HEAD, LARGE
from tests.lighter import ROOT, absent, rfmeta
from tests.listening import listening, public


def in_work(service: Service) -> None:
    """Wait until a picture is being scored."""
    until = time.monotonic() + 30
    while not service.metrics()["rfmeta_pictures_in_work"]:
        assert time.monotonic() < until


# test_other_machines_cannot_reach_it… sends Ctrl-C to a service whose requests have been answered.
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.drill)])
def test_requests_in_work_are_answered_before_the_service_ends(package: Path, number: int):
    with served(package, "--threads", 1) as service, ThreadPoolExecutor(3) as clients:
        begun = [clients.submit(service.ask, "/score", LARGE) for _ in range(3)]
        in_work(service)
        code, said = service.end(number)
        assert [one.result().json["reason"] for one in begun] == ["no_face"] * 3
    assert code == 0
    assert "ended after" in said
    assert "Traceback" not in said


def test_connections_without_a_request_do_not_hold_up_the_end(package: Path):
    with served(package, "--threads", 1) as service, service.connect(), service.connect(HEAD):
        began = time.monotonic()
        assert service.end()[0] == 0
        assert time.monotonic() - began < 15


def test_other_machines_cannot_reach_it_and_nothing_is_written_about_requests(package: Path):
    with served(package, "--threads", 1) as service:
        assert len(listening([service.process.pid])) == 1
        assert public([service.process.pid]) == []
        for data in (*PICTURES.values(), b"no picture"):
            service.ask("/score", data)
        with service.connect(b"\x16\x03\x01 this is not HTTP\r\n\r\n") as client:
            client.recv(1000)
        code, said = service.end(signal.SIGINT)
    assert (code, said.strip()) == (0, "ended after 5 requests")


def failed(arguments: list[str]) -> tuple[int, str]:
    ended = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    return ended.returncode, ended.stderr


def test_a_port_in_use_is_one_line(package: Path):
    with served(package, "--threads", 1) as service:
        code, said = failed(command(package, "--port", service.port))
    assert code == ConfigError.exit_code
    assert f"error port {service.port} of 127.0.0.1 is in use by another program" in said
    assert "Traceback" not in said


def test_a_host_that_is_not_this_machine_is_one_line(package: Path):
    for host in ("192.0.2.1", "no-such-host.invalid"):
        code, said = failed(command(package, "--host", host))
        assert (code, f"{host} is not an address of this machine" in said) == (ConfigError.exit_code, True)


def test_a_changed_package_is_refused_before_anybody_can_connect(package: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for name in ("model.onnx", "card.md", "deploy.json"):
        copy = shutil.copytree(package, tmp_path / name)
        data = bytearray((copy / name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / name).write_bytes(data)
        code, said = failed(command(copy, "--port", port))
        assert code == PackageError.exit_code
        assert f"error {name} of the deployment package" in said
        assert "listening" not in said


def test_an_unknown_operating_point_is_refused(package: Path):
    code, said = failed(command(package, "--operating-point", "eer2"))
    assert (code, "no operating point 'eer2'" in said) == (ConfigError.exit_code, True)


def test_other_machines_are_served_only_on_request_and_with_a_warning(package: Path):
    with served(package, "--threads", 1) as service:
        assert "warning" not in service.said
        assert "http://127.0.0.1:" in service.said
    with served(package, "--threads", 1, "--host", "0.0.0.0") as service:
        assert "no authentication and no TLS" in service.said
        assert service.ask("/health").status == 200


def test_without_its_extra_the_command_names_it(package: Path):
    ended = rfmeta(absent(), "serve", package)
    assert ended.returncode == InstallationError.exit_code
    assert "rfmeta_dist[serve]" in ended.stderr
