"""The parts of the local stack: its folder, its ports, its options, and how a service is watched."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.stack import __main__ as command
from infra.stack import family, ports, prometheus
from infra.stack.place import Place
from infra.stack.ray_nodes import Machine
from infra.stack.service import Service, alive_nodes
from rfmeta_dist.core.errors import ConfigError, RunError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_a_folder_has_one_stack_and_names_who_has_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert not place.running()
    with place.taken():
        assert place.running()
        with pytest.raises(
            RunError, match=rf"already, as process {os.getpid()}; end it with: infra/local down"
        ):
            Place(tmp_path).taken().__enter__()
    assert not place.running()
    assert place.end() is False
    with place.taken():
        pass


def test_who_asks_whether_a_stack_runs_is_not_taken_for_one(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.taken():
        pass
    with (tmp_path / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not place.running()


def test_a_stack_that_has_not_written_its_number_yet_is_ended_all_the_same(tmp_path: Path) -> None:
    late = (
        "import fcntl, os, sys, time; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print('held', flush=True); time.sleep(1); lock.write(str(os.getpid())); lock.flush(); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", late, tmp_path / "lock"], stdout=subprocess.PIPE) as stack:
        assert stack.stdout is not None
        stack.stdout.readline()
        threading.Thread(target=stack.wait).start()
        assert Place(tmp_path).end() is True


@pytest.mark.parametrize("body", [b"", b"{}", b'{"data": null}', b"HTTP/1.1 200 OK"])
def test_an_odd_answer_does_not_end_the_supervisor(body: bytes) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for answer in (cut, whole):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            thread = threading.Thread(target=_answer_once, args=(server, answer))
            thread.start()
            assert alive_nodes(url, "") == set()
            thread.join()


def _answer_once(server: socket.socket, answer: bytes) -> None:
    with server.accept()[0] as client:
        client.recv(1 << 16)
        client.sendall(answer)


def test_the_token_is_for_this_user_alone_and_nothing_else_has_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    before = os.umask(0)
    try:
        with place.taken():
            token = place.new_token()
            assert place.token_file.stat().st_mode & 0o777 == 0o600
            assert place.token_file.read_text() == token
            place.write_client("http://127.0.0.1:1")
            place.write_state([{"name": "head", "state": "healthy", "where": "", "log": ""}])
            holders = [path for path in tmp_path.rglob("*") if path.is_file() and token in path.read_text()]
            assert holders == [place.token_file]
            shell = f"RAY_AUTH_TOKEN=other; source '{place.client_file}'; cat $RAY_AUTH_TOKEN_PATH; "
            shell += "echo -$RAY_AUTH_TOKEN"
            shown = subprocess.run(["bash", "-c", shell], check=True, capture_output=True, text=True).stdout
            assert shown == f"{token}-\n"
            assert place.new_token() != token
    finally:
        os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "logs"]


def test_a_port_that_is_taken_is_refused_with_the_name_of_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"port {port} of the dashboard is taken by process {os.getpid()} \("
        ):
            ports.choose({"dashboard": port}, {"dashboard"}, "127.0.0.1")
    chosen = ports.choose({"dashboard": port, "tracking": 0}, {"dashboard", "tracking"}, "127.0.0.1")
    assert chosen["dashboard"] == port
    assert len(set(chosen.values())) == len(chosen) == 4
    with pytest.raises(ConfigError, match="no service 'dashbord'"):
        ports.choose({"dashbord": 1}, {"dashboard"}, "127.0.0.1")
    with pytest.raises(ConfigError, match=r"nothing can listen on 192\.0\.2\.77"):
        ports.choose({"dashboard": 0} | {"dashboard": port}, {"dashboard"}, "192.0.2.77")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "head"])
def test_the_dashboard_is_not_offered_to_everyone(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["infra/local", "up", "--host", host])
    assert command.main() == ConfigError.exit_code
    assert f"error --host {host} " in capsys.readouterr().err.replace("\n", " ")


def test_gpus_are_divided_among_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    machine = Machine(2, 3, "127.0.0.1")
    assert [machine.gpus(1), machine.gpus(2)] == [["0", "2", "4"], ["1", "3"]]
    chosen = {"gcs": 1, "client": 2, "dashboard": 3}
    assert "--num-gpus=0" in machine.head(Path("/t"), chosen)
    assert {"--num-gpus=2", "--num-cpus=3", "--node-name=worker-2"} <= set(
        machine.worker(2, Path("/t"), chosen)
    )
    assert {"--num-gpus=5", "--num-cpus=3"} <= set(Machine(0, 3, "127.0.0.1").head(Path("/t"), chosen))


def test_a_service_that_dies_is_noticed_and_takes_what_it_detached_with_it(tmp_path: Path) -> None:
    service = Service("one", "", tmp_path / "log", (tmp_path / "well").exists)
    inner = "echo the reason; setsid sleep 600 & sleep 600"
    service.start(["bash", "-c", inner], dict(os.environ))
    assert service.look() is False
    assert service.state == "starting"
    (tmp_path / "well").touch()
    assert service.look() is True
    assert service.state == "healthy"
    while len(service.members) < 2:
        service.look()
    members = service.members
    (tmp_path / "well").unlink()
    assert service.look() is True
    assert service.state == "unwell"
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    assert service.look() is True
    assert service.state == "dead"
    assert service.last_lines() == ["the reason"]
    deadline = time.monotonic() + 10
    while any(family._entry(p.pid) and family._entry(p.pid)[0] != "Z" for p in members):  # type: ignore[index]
        assert time.monotonic() < deadline
    assert service.look() is False


def test_a_service_that_ends_while_it_starts_is_tried_three_times(tmp_path: Path) -> None:
    service = Service("one", "", tmp_path / "log", lambda: False)
    service.start(["bash", "-c", "echo try"], dict(os.environ))
    deadline = time.monotonic() + 30
    while service.state == "starting":
        service.look()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert service.state == "dead"
    assert service.last_lines() == ["try"] * 3


def test_without_a_stack_status_and_down_say_so(tmp_path: Path, capsys, monkeypatch) -> None:
    for word in ("status", "down"):
        monkeypatch.setattr(sys, "argv", ["infra/local", word, "--folder", str(tmp_path)])
        assert command.main() == 1
        assert f"no stack runs in {tmp_path}" in capsys.readouterr().err.replace("\n", "")


def test_prometheus_reads_the_configuration(tmp_path: Path) -> None:
    checker = "/usr/bin/promtool"
    if not Path(checker).exists():
        pytest.skip("Prometheus is not installed")
    prometheus.command("prometheus", tmp_path, tmp_path / "data", {"prometheus": 1, "metrics": 2})
    made = json.loads((tmp_path / "prometheus.yaml").read_text())
    ray, runs = made["scrape_configs"]
    assert runs["static_configs"] == [{"targets": ["127.0.0.1:2"]}]
    assert ray["metric_relabel_configs"]
    assert ray["file_sd_configs"][0]["files"] == [str(tmp_path / "0/prom_metrics_service_discovery.json")]
    check = [checker, "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_script_runs_the_module() -> None:
    script = ROOT / "infra/local"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
