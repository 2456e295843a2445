"""The commands that start Ray's head and workers on this machine, and the environment of all nodes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.stack import ray_start
from infra.stack.place import Place
from infra.stack.service import clean_environment

_BIN = Path(sys.executable).parent
_SMALLEST_STORE = 200_000_000  # bytes; Ray refuses less than 80 MB
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Machine:
    """What the Ray nodes may use.

    Attributes:
        workers: number of worker nodes. With 0, the head itself runs the tasks.
        cpus: CPUs of each worker that Ray counts with.
        host: address on which the dashboard and the Jobs API listen.
    """

    workers: int
    cpus: int
    host: str

    def head(self, temp: Path, ports: Mapping[str, int]) -> list[str]:
        """Return the command that starts the head. It runs no tasks unless there is no worker."""
        alone = self.workers == 0
        return [
            *self._start(temp / "0", "head", self.cpus if alone else 0, gpu_ids() if alone else []),
            "--head",
            f"--port={ports['gcs']}",
            f"--dashboard-host={self.host}",
            f"--dashboard-port={ports['dashboard']}",
            f"--ray-client-server-port={ports['client']}",
        ]

    def worker(self, number: int, temp: Path, ports: Mapping[str, int]) -> list[str]:
        """Return the command that starts worker 1, 2, …, each of which has its share of the GPUs."""
        address = f"--address={_LOOPBACK}:{ports['gcs']}"
        return [*self._start(temp / str(number), f"worker-{number}", self.cpus, self.gpus(number)), address]

    def gpus(self, number: int) -> list[str]:
        """Return the identifiers of the GPUs of worker 1, 2, …: every `workers`-th of this machine's."""
        return gpu_ids()[number - 1 :: self.workers]

    def _start(self, temp: Path, name: str, cpus: int, gpus: list[str]) -> list[str]:
        return [
            sys.executable,
            str(Path(ray_start.__file__)),
            "--block",
            "--disable-usage-stats",
            "--log-style=record",
            "--log-color=false",
            f"--node-name={name}",
            f"--node-ip-address={_LOOPBACK}",
            "--dashboard-agent-listen-port=0",
            f"--num-cpus={cpus}",
            f"--num-gpus={len(gpus)}",
            f"--object-store-memory={self._object_store()}",
            f"--temp-dir={temp}",
        ]

    def _object_store(self) -> int:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return max(_SMALLEST_STORE, memory // 10 // (self.workers + 1))


def gpu_ids() -> list[str]:
    """Return the identifiers of this machine's NVIDIA GPUs; those of CUDA_VISIBLE_DEVICES if it is set."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip()]
    return sorted((path.name[6:] for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def environment(place: Place, temp: Path, ports: Mapping[str, int], more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all nodes: token by its file, and the credentials of the store and tracking.

    Args:
        place: has the token's file.
        temp: folder for temporary files; it is removed when the stack ends.
        ports: from `ports.choose`.
        more: credentials and addresses that jobs need.
    """
    own = {
        "PATH": f"{_BIN}:{os.environ.get('PATH', os.defpath)}",  # `python` and `rfmeta` of a job's entry point
        "TMPDIR": str(temp),
        ray_start.SWITCH: "0",  # drivers and workers then use the loopback interface too
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(place.token_file),
        # Without this, Ray waits up to 30 s after SIGTERM for services that nobody uses here to drain.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        "RAY_JOB_STOP_WAIT_TIME_S": "30",  # for a stopped job to end by itself
        "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # for the dashboard's page of trainings
    }
    if "prometheus" in ports:
        own["RAY_PROMETHEUS_HOST"] = f"http://127.0.0.1:{ports['prometheus']}"
    return clean_environment() | own | dict(more)
