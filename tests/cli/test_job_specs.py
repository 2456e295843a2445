"""The job specs that we ship can be read, and the commands in them exist."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from rfmeta_dist.cluster.jobs.spec import read
from tests.named import require_invocation

ROOT = Path(__file__).parents[2]
JOBS = sorted((ROOT / "jobs").glob("*.yaml"))


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_shipped_job_runs_a_command_that_exists(path: Path):
    entrypoint = read(path).spec.entrypoint
    words = shlex.split(entrypoint)
    for command in (words[2] if words[:2] == ["bash", "-c"] else entrypoint).split(" && "):
        assert command.startswith("rfmeta ")
        require_invocation(command.removeprefix("rfmeta "))
    files = [word for word in entrypoint.split() if word.startswith("jobs/")]
    assert all((path.parents[1] / file).exists() for file in files)


def test_a_checkout_that_is_uploaded_with_a_job_has_the_cards_and_examples_that_commands_read(tmp_path: Path):
    """On the cluster the uploaded package is imported instead of the installed one."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    package, there = tmp_path / "sent.zip", tmp_path / "there"
    create_package(str(ROOT), package, include_gitignore=True, excludes=get_runtime_env_default_excludes())
    ZipFile(package).extractall(there)
    listed = subprocess.run(
        [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "example", "--json"],
        cwd=there,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"M", "demo", "synth"} <= set(json.loads(listed.stdout))
    assert package.stat().st_size < 10 << 20
