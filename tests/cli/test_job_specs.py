"""The job specs that we ship can be read, and the commands in them exist."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rfmeta_dist.cluster.jobs.spec import read
from tests.named import require_invocation

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.yaml"))


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_shipped_job_runs_a_command_that_exists(path: Path):
    entrypoint = read(path).spec.entrypoint
    words = shlex.split(entrypoint)
    for command in (words[2] if words[:2] == ["bash", "-c"] else entrypoint).split(" && "):
        assert command.startswith("rfmeta ")
        require_invocation(command.removeprefix("rfmeta "))
    files = [word for word in entrypoint.split() if word.startswith("jobs/")]
    assert all((path.parents[1] / file).exists() for file in files)
