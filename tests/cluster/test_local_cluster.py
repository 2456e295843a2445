"""infra/local_cluster.sh: submit to a real head with a token, and nothing left of it however it is ended."""

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
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def family(environment: str) -> dict[int, str]:
    """Processes that have a variable in their environment, and what they are called."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if environment.encode() in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


@pytest.mark.drill
@pytest.mark.timeout(500)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_job_succeeds_on_a_local_cluster_and_a_signal_leaves_nothing_of_it(tmp_path, number):
    mark, room = f"{tmp_path.name}-{os.getpid()}", Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    variables = os.environ | {
        **{"FOLDER": str(tmp_path / "cluster"), "PORT": str(free_port()), "DASHBOARD_PORT": str(free_port())},
        **{"SLOTS": "2", "OURS": mark, "TMPDIR": str(room)},
    }
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
        variables.pop(name, None)
    with (tmp_path / "log").open("w") as log:
        script = ["bash", str(ROOT / "infra/local_cluster.sh")]
        cluster = subprocess.Popen(script, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        done = submit(tmp_path, variables, "echo $GREETING", "env_vars: {GREETING: 0123}")
        assert done.returncode == 0, done.stderr
        assert "0123" in done.stdout.splitlines()
        assert submit(tmp_path, variables, "exit 3", "{}").returncode == 3
        long = (
            'python -c "import ray, time; ray.init(); ray.get(ray.remote(lambda: time.sleep(1000)).remote())"'
        )
        with (tmp_path / "submit").open("w") as log:
            command = submit_command(tmp_path, long, "{}")
            follower = subprocess.Popen(command, env=client(tmp_path, variables), stdout=log, stderr=log)
        wait_until(lambda: any("ray::<lambda>" in name for name in family(f"OURS={mark}").values()))
        cluster.send_signal(number)
        assert cluster.wait(60) == 128 + number
        follower.kill()
        follower.wait()
        assert family(f"OURS={mark}") == {}
        assert list(room.iterdir()) == []
    finally:
        cluster.kill()
        for process in family(f"OURS={mark}"):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(room)


def wait_until(condition: object, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def client(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """The environment that client.env gives to a shell."""
    own = {name: value for name, value in variables.items() if name != "OURS"}
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = ["bash", "-c", f"source {folder}/cluster/client.env; {show}"]
    return dict(json.loads(subprocess.run(script, env=own, check=True, capture_output=True).stdout))


def submit_command(folder: Path, entrypoint: str, environment: str) -> list[str]:
    spec = {"entrypoint": entrypoint, "runtimeEnvYAML": environment}
    job = folder / f"{abs(hash(entrypoint))}.yaml"
    job.write_text(json.dumps({"kind": "RayJob", "metadata": {"name": "j"}, "spec": spec}))
    return [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "submit", str(job)]


def submit(
    folder: Path, variables: dict[str, str], entrypoint: str, environment: str
) -> subprocess.CompletedProcess[str]:
    wait_until((folder / "cluster/client.env").exists)
    command = submit_command(folder, entrypoint, environment)
    deadline = time.monotonic() + 200
    while True:
        done = subprocess.run(
            command, env=client(folder, variables), check=False, capture_output=True, text=True
        )
        if done.returncode != 6 or time.monotonic() > deadline:
            return done
        time.sleep(1)
