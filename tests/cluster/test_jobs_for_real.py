"""The specs of jobs/ at the smallest size, on infra/local through the Jobs API, while a worker node is killed.

It takes minutes: pytest -m drill tests/cluster/test_jobs_for_real.py
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.stack import family
from rfmeta_dist.core.errors import ClusterError
from tests.local_stack import RFMETA, ROOT, Stack, running

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux", reason="infra/local needs Linux"),
]
SMALL = "--set {0}training.workers=1 --set {0}training.strategy=single --set {0}data.batch=8".format
# What is appended to the entry point of each spec.
TINY = {
    "synth": "--scale tiny",
    "leave_one_out": f"{SMALL('')} --set training.steps=60 --set training.checkpoint_every=10",
    "tune": f"{SMALL('base.')} --set base.training.steps=4 --set search.candidates=2 --set search.batch=2 "
    "--set search.rungs=[] --set base.training.checkpoint_every=2 --set base.evaluation.target_split=test",
    "retrain": f"{SMALL('base.')} --set base.training.steps=10 --set base.training.checkpoint_every=10",
}


class Shell:
    """A folder with the job specs at their smallest size, from which they are submitted."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        shutil.copytree(ROOT / "jobs/configs", folder / "work/jobs/configs")
        for name, words in TINY.items():
            spec = self.spec(name)
            spec["spec"]["entrypoint"] = f"{spec['spec']['entrypoint'].strip()} {words}"
            spec["spec"]["runtimeEnvYAML"] = f"working_dir: {folder / 'work'}\n"
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec))

    def spec(self, name: str) -> dict[str, Any]:
        mine = self.folder / f"{name}.yaml"
        text = mine if mine.exists() else ROOT / f"jobs/{name}.yaml"
        return dict(yaml.safe_load(text.read_text()))

    def submit(self, name: str, *options: str, **more: str) -> tuple[int, str]:
        """Submit a spec, follow it to its end, and return exit code and output."""
        command = self.stack.start(*RFMETA, "submit", str(self.folder / f"{name}.yaml"), *options, **more)
        output, _ = command.communicate(timeout=1200)
        return command.returncode, output


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("jobs")
    stack = Stack(folder / "cluster", "--workers", "2", "--cpus", "2", "--without", "prometheus")
    try:
        stack.wait()
        yield Shell(stack, folder)
        members = stack.members()
        stack.end()
        assert running(members) == []
    finally:
        stack.close()


def test_without_the_token_a_spec_is_refused(shell: Shell) -> None:
    code, said = shell.submit("synth", RAY_AUTH_TOKEN="0" * 64)
    assert code == ClusterError.exit_code, said
    assert shell.stack.token not in said


def test_every_spec_succeeds_also_if_a_worker_node_is_killed_during_one(shell: Shell) -> None:
    code, said = shell.submit("synth")
    assert code == 0, said
    command = shell.stack.start(*RFMETA, "submit", str(shell.folder / "leave_one_out.yaml"))
    assert command.stdout is not None
    shown = ""
    while "step" not in shown:  # a run has reached a tenth of its steps
        line = command.stdout.readline()
        assert line, shown
        shown += line
    kill_node(shell.stack, "worker-2")
    output, _ = command.communicate(timeout=1200)
    assert command.returncode == 0, shown + output
    assert "worker-2    dead" in shell.stack.said()
    for name in ("tune", "retrain"):
        code, said = shell.submit(name)
        assert code == 0, said
    assert by_ray_job_submit(shell, "leave_one_out") == 0  # its runs are finished, so the table alone is made


def kill_node(stack: Stack, name: str) -> None:
    """Kill all processes of a node at once, as the loss of its machine does."""
    for process in stack.members():
        if f"--node-name={name}\0" in Path(f"/proc/{process.pid}/cmdline").read_text(errors="replace"):
            family.kill([process, *family.descendants(process.pid)])
            break
    deadline = time.monotonic() + 60
    while f"{name}    dead" not in stack.said():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def by_ray_job_submit(shell: Shell, name: str) -> int:
    """Submit a spec with Ray's own command, and return its exit code."""
    spec = shell.spec(name)["spec"]
    environment = json.dumps(yaml.safe_load(spec["runtimeEnvYAML"]))
    options = ["--runtime-env-json", environment, "--entrypoint-num-cpus", str(spec["entrypointNumCpus"])]
    ray = str(Path(sys.executable).parent / "ray")
    command = shell.stack.start(ray, "job", "submit", *options, "--", *shlex.split(spec["entrypoint"]))
    output, _ = command.communicate(timeout=600)
    assert "succeeded" in output, output
    return command.returncode
