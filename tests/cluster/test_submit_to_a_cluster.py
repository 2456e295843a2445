"""`rfmeta submit` on a real cluster with a token, as infra/local starts it on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import ClusterError

ROOT = Path(__file__).parents[2]
LONGEST_S = 120  # for a cluster to start, on a busy machine
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of somebody who may submit to the cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    here = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_"))}
    here |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{here['PATH']}"}
    stack = [
        sys.executable,
        "-m",
        "infra.stack",
        "up",
        "--folder",
        str(folder),
        "--workers",
        "0",
        "--cpus",
        "2",
    ]
    stack += ["--port", "dashboard=0", "--without", "prometheus", "--without", "metrics"]
    with (folder / "log").open("w") as log:
        cluster = subprocess.Popen(stack, cwd=ROOT, env=here, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + LONGEST_S
        while "the stack is ready" not in (folder / "log").read_text():
            assert cluster.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        variables = dict(re.findall(r"(RAY_\w+)='?([^\s']+)", (folder / "client.env").read_text()))
        assert set(variables) == {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_API_SERVER_ADDRESS"}
        yield here | variables
    finally:
        cluster.send_signal(signal.SIGINT)  # Ctrl-C
        try:
            assert cluster.wait(60) == 130
        except subprocess.TimeoutExpired:
            cluster.kill()
            raise
    assert not (folder / "token").exists()


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", *words]


def run(environment: dict[str, str], *words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )


def submit(
    folder: Path, entrypoint: str, environment: dict[str, str], *options: str, more: str = ""
) -> subprocess.CompletedProcess[str]:
    job = folder / "job.yaml"
    job.write_text(
        "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: greet}\nspec:\n"
        f"  entrypoint: {json.dumps(entrypoint)}\n  entrypointNumCpus: 0\n{more}"
        "  runtimeEnvYAML: |\n    env_vars: {WORD: hello}\n    working_dir: work\n"
    )
    (folder / "work").mkdir(exist_ok=True)
    (folder / "work/greeting.txt").write_text("to everybody")
    return run(environment, "submit", str(job), *(options or ["--json"]), folder=folder)


def test_a_job_runs_with_its_variables_and_files_and_its_log_and_exit_code_are_shown(
    client, tmp_path: Path
) -> None:
    entrypoint = 'echo "$WORD $(cat greeting.txt), $RFMETA_TRACE"; rfmeta shards ls s3://rfmeta'
    ending = submit(tmp_path, entrypoint, client)
    assert ending.returncode == 3, ending.stderr
    assert f"hello to everybody, {json.loads(ending.stdout)['trace']}\n" in ending.stderr
    assert "no domains under s3://rfmeta" in ending.stderr  # the store's credentials are the cluster's own
    result = json.loads(ending.stdout)
    assert result["exit_code"] == 3
    assert result["job"].startswith("greet-")


@pytest.mark.drill
def test_a_job_that_succeeds_ends_the_command_with_0(client, tmp_path: Path) -> None:
    ending = submit(tmp_path, "true", client)
    assert ending.returncode == 0, ending.stderr
    assert json.loads(ending.stdout)["exit_code"] == 0


def test_without_the_token_nothing_is_run(client, tmp_path: Path) -> None:
    ending = submit(tmp_path, f"touch {tmp_path}/ran", client | {"RAY_AUTH_TOKEN": "0" * 64})
    assert ending.returncode == ClusterError.exit_code, ending.stderr
    assert "RAY_AUTH_TOKEN" in ending.stderr
    assert Path(client["RAY_AUTH_TOKEN_PATH"]).read_text() not in ending.stderr
    assert not (tmp_path / "ran").exists()


def test_a_detached_job_is_listed_waited_for_and_stopped(client, tmp_path: Path) -> None:
    entrypoint = "trap 'echo tidied up; exit 1' TERM; echo begun; sleep 300 & wait"
    identifier = submit(tmp_path, entrypoint, client, "--detach").stdout.strip()
    assert identifier.startswith("greet-")
    waiting = subprocess.Popen(
        command("jobs", "wait", identifier, "--json"), env=client, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + LONGEST_S
    while (job := json.loads(run(client, "jobs", "ls", "--json").stdout)[0])["status"] == "PENDING":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert (job["job"], job["status"], job["trace"]) == (identifier, "RUNNING", identifier[:-2])
    stopped = run(client, "jobs", "stop", identifier[:-2])  # a beginning is enough
    assert (stopped.returncode, "has ended: STOPPED" in stopped.stderr) == (0, True), stopped.stderr
    assert json.loads(waiting.communicate(timeout=LONGEST_S)[0])["status"] == "STOPPED"
    assert waiting.returncode == 143


@pytest.mark.drill
def test_a_job_is_stopped_at_its_deadline(client, tmp_path: Path) -> None:
    more = "  activeDeadlineSeconds: 8\n  backoffLimit: 3\n"
    ending = submit(tmp_path, "echo begun; sleep 300", client, more=more)
    assert ending.returncode == 124, ending.stderr
    assert "begun" in ending.stderr
    shown = json.loads(run(client, "jobs", "show", json.loads(ending.stdout)["job"], "--json").stdout)
    assert shown["status"] == "STOPPED"


@pytest.mark.drill
def test_a_job_that_waits_for_resources_cannot_be_stopped_and_this_is_said(client, tmp_path: Path) -> None:
    ending = submit(tmp_path, "true", client, "--detach", "--set", "spec.entrypointResources={none: 1}")
    stopped = run(client, "jobs", "stop", ending.stdout.strip())
    assert (stopped.returncode, "Ray cannot stop" in stopped.stderr) == (6, True), stopped.stderr
    assert run(client, "jobs", "wait", ending.stdout.strip(), "--timeout", "1").returncode == 124


@pytest.mark.drill
@pytest.mark.parametrize("entrypoint", ["cat greeting.txt", 'echo "$WORD $(cat greeting.txt)"; exit 3'])
def test_the_command_of_ray_that_is_shown_works(client, tmp_path: Path, entrypoint: str) -> None:
    plan = json.loads(submit(tmp_path, entrypoint, client, "--dry-run", "--json").stdout)
    ended = subprocess.run(
        ["bash", "-c", plan["ray_job_submit"]],
        env=client,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_S,
    )
    assert "to everybody" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == (1 if "exit" in entrypoint else 0)  # Ray's own command knows 0 and 1 only
