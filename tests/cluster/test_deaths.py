"""Processes that Ray ends for memory, and machines that are lost, are told in words; each has its own Ray."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rfmeta_dist.core.errors import ClusterError

pytestmark = pytest.mark.drill

MEMORY = """
import time, ray
from rfmeta_dist.cluster.session import session
with session(slots=1):
    ray.get(ray.remote(max_retries=0)(lambda: time.sleep(60)).remote())
"""
MACHINE = """
import threading, time, ray
from ray.cluster_utils import Cluster
from rfmeta_dist.cluster.session import session
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000})
node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
with session(address=cluster.address):
    task = ray.remote(max_retries=0)(lambda: time.sleep(60)).remote()
    time.sleep(5)
    cluster.remove_node(node, allow_graceful=False)
    ray.get(task)
"""


HEAD = """
import os, shutil, signal, subprocess, sys, tempfile, threading, time, ray
from pathlib import Path
from rfmeta_dist.cluster import session as sessions
sessions.HEAD_LOST_S, sessions.CONNECT_S = 4.0, 1
folder = tempfile.mkdtemp(prefix="rf-", dir="/tmp")
command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", "--num-cpus=1", "--port=0"]
command += ["--include-dashboard=false", "--object-store-memory=80000000", f"--temp-dir={folder}"]
head = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
cluster = Path(folder) / "ray_current_cluster"
while not cluster.exists():
    time.sleep(0.2)
def gone():
    servers = [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if is_server(p)]
    assert len(servers) == 1
    os.kill(head.pid, signal.SIGSTOP)  # or it would end all else on the head too, before the driver misses it
    os.kill(servers[0], signal.SIGKILL)
def is_server(path):
    try:
        return b"gcs_server" in path.read_bytes().split(b"\\0")[0] and folder.encode() in path.read_bytes()
    except OSError:
        return False
try:
    with sessions.session(address=cluster.read_text().strip()):
        threading.Timer(3, gone).start()
        ray.get(ray.remote(max_retries=0)(lambda: time.sleep(200)).remote())
finally:
    os.killpg(head.pid, signal.SIGCONT)
    os.killpg(head.pid, signal.SIGTERM)
    head.wait()
    shutil.rmtree(folder, ignore_errors=True)
"""


def shown(program: str, **environment: str) -> tuple[int, str]:
    """Run a program as the command line would; its exit code and the last line of stderr."""
    lines = "\n".join(f"    {line}" for line in program.splitlines())
    whole = f"import sys\nimport rfmeta_dist.cli\ndef app():\n{lines}\n"
    whole += "import rfmeta_dist.cli.app\nrfmeta_dist.cli.app.app = app\nrfmeta_dist.cli.main()\n"
    done = subprocess.run(
        [sys.executable, "-c", whole],
        env=os.environ | {"RAY_AUTH_MODE": "disabled"} | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_process_that_ray_ended_for_memory():
    code, line = shown(MEMORY, RAY_memory_usage_threshold="0.01", RAY_memory_monitor_refresh_ms="100")
    assert code == ClusterError.exit_code
    assert "error a process was ended because its machine ran out of memory" in line
    assert "give the same command again" in line


def test_a_machine_that_was_lost():
    code, line = shown(MACHINE)
    assert code == ClusterError.exit_code
    assert "error a machine of the cluster was lost while it worked for this command" in line
    assert "see that the machine is up" in line


def test_a_head_that_is_gone():
    code, line = shown(HEAD)
    assert code == ClusterError.exit_code
    assert "error the head of the Ray cluster at " in line
    assert "has not answered for 4 s; see that the cluster is up" in line
