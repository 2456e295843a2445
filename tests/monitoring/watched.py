"""Start a Ray cluster, an exporter and a Prometheus as an operator would, on free ports of this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import yaml

from tests.monitoring.promtool import FOLDER

ROOT = Path(__file__).parents[2]
RFMETA = (sys.executable, "-c", "from rfmeta_dist.cli import main; main()")
TOKEN = "a-token-of-the-test-" + "0" * 44
# The alerts' waiting times and windows, shortened so that a test need not wait for half an hour.
SHORTER = {f"for: {long}": "for: 20s" for long in ("1h", "10m", "5m", "2m")} | {"[10m]": "[60s]"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Watched:
    """What is watched, and who watches.

    Attributes:
        place: a folder for everything.
        temp: Ray's temporary folder; sockets need a short path.
        ports: port of each service.
        processes: the processes that were started, by name.
    """

    place: Path
    temp: Path
    ports: dict[str, int] = field(default_factory=lambda: {n: free_port() for n in PORTS})
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(self, name: str, *command: str) -> None:
        """Start a process, which writes into a log of its name."""
        with (self.place / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.place, env=self.environment(name), stdout=log, stderr=log
            )

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a process by a signal, and wait for it."""
        self.processes[name].send_signal(number)
        self.processes[name].wait(60)
        del self.processes[name]

    def rfmeta(self, *arguments: str) -> None:
        """Run a command of rfmeta on the cluster to its end."""
        done = subprocess.run(
            [*RFMETA, *arguments],
            env=self.environment("rfmeta"),
            cwd=self.place,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def log(self, name: str) -> str:
        return (self.place / f"{name}.log").read_text()

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a process. A head that is given an address waits for it."""
        address = {} if name == "ray" else {"RAY_ADDRESS": f"127.0.0.1:{self.ports['gcs']}"}
        here = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
        return here | {
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{here['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_USAGE_STATS_ENABLED": "0",
            **address,
        }

    def ray(self) -> None:
        """Start the head of a cluster with a token, and wait until it lists itself for Prometheus."""
        ports = {name: self.ports[name] for name in PORTS[:5]}
        options = zip(RAY_OPTIONS, ports.values(), strict=True)
        self.begin(
            "ray",
            *("ray", "start", "--head", "--block", "--num-cpus=3", f"--temp-dir={self.temp}"),
            "--dashboard-host=127.0.0.1",
            *(f"--{option}={port}" for option, port in options),
        )
        until(lambda: self.discovery.exists() and str(self.ports["metrics"]) in self.discovery.read_text())

    @property
    def discovery(self) -> Path:
        return self.temp / "prom_metrics_service_discovery.json"

    def prometheus(self) -> None:
        """Start Prometheus with the configuration that is shipped, but other ports and shorter times."""
        shipped = (FOLDER / "prometheus.yaml").read_text()
        mine = shipped.replace("/tmp/ray/prom_metrics_service_discovery.json", str(self.discovery))
        mine = mine.replace("127.0.0.1:9464", f"127.0.0.1:{self.ports['exporter']}").replace("15s", "2s")
        alerts = (FOLDER / "alerts.yaml").read_text()
        for long, short in SHORTER.items():
            alerts = alerts.replace(long, short)
        (self.place / "prometheus.yaml").write_text(mine)
        (self.place / "alerts.yaml").write_text(alerts)
        self.begin(
            "prometheus",
            *("prometheus", "--config.file=prometheus.yaml", f"--storage.tsdb.path={self.place / 'tsdb'}"),
            f"--web.listen-address=127.0.0.1:{self.ports['prometheus']}",
        )

    def exporter(self, *folders: str) -> None:
        self.begin("exporter", *RFMETA, "metrics", *folders, "--serve", f"127.0.0.1:{self.ports['exporter']}")

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression selects now."""
        url = f"http://127.0.0.1:{self.ports['prometheus']}/api/v1/query?query={quote(expression)}"
        with urlopen(url) as answer:
            return list(json.load(answer)["data"]["result"])

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of the alerts that fire, by name."""
        found = self.ask('ALERTS{alertstate="firing"}')
        return {one["metric"]["alertname"]: one["metric"] for one in found}

    def readers(self) -> list[int]:
        """Return the processes that read the domains."""
        url = f"http://127.0.0.1:{self.ports['dashboard']}/api/v0/actors?limit=1000&detail=1"
        with urlopen(Request(url, headers={"Authorization": f"Bearer {TOKEN}"})) as answer:
            actors = json.load(answer)["data"]["result"]["result"]
        return [a["pid"] for a in actors if a["class_name"] == "DomainReaders" and a["state"] == "ALIVE"]


PORTS = ("gcs", "dashboard", "metrics", "agent", "client", "prometheus", "exporter")
RAY_OPTIONS = (
    "port",
    "dashboard-port",
    "metrics-export-port",
    "dashboard-agent-listen-port",
    "ray-client-server-port",
)


@contextmanager
def watched(place: Path) -> Iterator[Watched]:
    """Yield a folder and ports, and end all processes that were started there."""
    found = Watched(place, Path(tempfile.mkdtemp(prefix="w-", dir="/tmp")))
    try:
        yield found
    finally:
        for name in [*found.processes][::-1]:
            try:
                found.end(name)
            except subprocess.TimeoutExpired:
                os.kill(found.processes[name].pid, signal.SIGKILL)
        for process in _of(found.temp):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(found.temp)


def _of(temp: Path) -> list[int]:
    """Return the processes whose command line names Ray's temporary folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(temp).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def until(condition: Callable[[], Any], seconds: float = 300) -> None:
    """Wait until a condition holds, on a busy machine. An answer that cannot be had yet is none."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.5)


def config(place: Path, **training: Any) -> dict[str, Any]:
    """Return a run on generated faces of 32×32 pixels."""
    return {
        "run": {"name": "live", "folder": str(place / "runs")},
        "data": {
            "prefix": str(ROOT / "tests/fixtures/before_renames/shards"),
            **{"sources": ["O", "C", "I"], "target": "M", "image_size": 32, "batch": 4, "cache_gb": 0},
        },
        "model": {"width": 0.05},
        "training": {"workers": 1, "strategy": "single", **training},
        "evaluation": {"recalibration_batches": 2},
    }


def write(path: Path, content: Any) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)
