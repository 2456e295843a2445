"""Say what a submission would do, for `rfmeta submit --dry-run`. No cluster is asked."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from rfmeta_dist.cluster.jobs.spec import Job
from rfmeta_dist.cluster.jobs.upload import Package, mib
from rfmeta_dist.core.trace import VARIABLE as TRACE

IDENTIFIER = "{unix time}-{attempt}"
_SHELL = re.compile(r"""[^\w@%+=:,./ -]""")  # a command with such a character means something to a shell


def resources(job: Job) -> dict[str, Any]:
    """Return what the entrypoint reserves, by the names of Ray's client; empty if it reserves nothing."""
    spec = job.spec
    asked = {
        "cpus": spec.entrypointNumCpus,
        "gpus": spec.entrypointNumGpus,
        "resources": spec.entrypointResources,
    }
    return {name: amount for name, amount in asked.items() if amount is not None}


def as_json(job: Job, address: str, packages: list[Package] | None, path: Path) -> dict[str, Any]:
    """Return the plan as a mapping. Of variables it has the names only.

    Args:
        job: from `spec.read`.
        address: URL of the cluster.
        packages: from `upload.packages`; None if they are not known.
        path: the job spec's file.
    """
    spec = job.spec
    return {
        "job": f"{job.name}-{IDENTIFIER}",
        "trace": f"{job.name}-{{unix time}}",
        "address": address,
        "entrypoint": spec.entrypoint,
        "runtime_env": shown_environment(job),
        "entrypoint_reserves": resources(job),
        "metadata": spec.metadata,
        "backoff_limit": spec.backoffLimit,
        "active_deadline_seconds": spec.activeDeadlineSeconds,
        "ignored": list(job.ignored),
        "upload": None if packages is None else [vars(package) for package in packages],
        "ray_job_submit": ray_command(job, address, path),
    }


def as_lines(job: Job, address: str, packages: list[Package] | None, path: Path) -> list[str]:
    """Return the plan as lines of text; for the arguments see `as_json`."""
    spec, reserves = job.spec, resources(job)
    deadline = (
        "none" if spec.activeDeadlineSeconds is None else f"{spec.activeDeadlineSeconds} s for all attempts"
    )
    return [
        f"job         {job.name}-{IDENTIFIER}, trace {job.name}-{{unix time}}",
        f"cluster     {address} (not asked)",
        f"entrypoint  {spec.entrypoint.strip()}",
        f"reserves    {json.dumps(reserves) if reserves else 'nothing'}",
        f"attempts    {spec.backoffLimit + 1}",
        f"deadline    {deadline}",
        *(f"metadata    {name}: {value}" for name, value in spec.metadata.items()),
        f"environment {json.dumps(shown_environment(job), ensure_ascii=False)}",
        *(
            ["upload      not known, because Ray is not installed here"]
            if packages is None
            else _uploads(packages)
        ),
        "the same with Ray's own command: "
        + (ray_command(job, address, path) or "write what --set gives spec.runtimeEnvYAML into the file first"),
    ]


def _uploads(packages: list[Package]) -> list[str]:
    lines = [] if packages else ["upload      nothing"]
    for package in packages:
        lines.append(f"upload      {package.field} {package.place}: {package.files} files, {mib(package.size)}")
        lines += [f"              {mib(size):>10}  {name}" for name, size in package.largest]
    return lines


def shown_environment(job: Job) -> dict[str, Any]:
    """Return the runtime environment, with the names of its variables in place of the variables."""
    names = sorted({TRACE, *job.runtime_env.get("env_vars", {})})
    return job.runtime_env | {"env_vars": names}


def ray_command(job: Job, address: str, path: Path) -> str | None:
    """Return the `ray job submit` command, in one line of bash, that submits the same job once.

    The values of variables are not written into it: the command reads them from the job spec's file. It returns
    None if the file lacks them, because `--set` gave them.
    """
    if job.own_environment and "env_vars" in job.runtime_env:
        return None
    spec = job.spec
    words = ["ray", "job", "submit", "--address", address]
    line = f'{shlex.join(words)} --submission-id {job.name}-"$(date +%s)"-0'
    if "env_vars" in job.runtime_env:
        program = (
            "import sys, yaml; print(next(d for d in yaml.safe_load_all(open(sys.argv[1])) "
            "if d and d['kind'] == 'RayJob')['spec']['runtimeEnvYAML'])"
        )
        line += f" --runtime-env <(python -c {shlex.quote(program)} {shlex.quote(str(path))})"
    elif job.runtime_env:
        line += f" --runtime-env-json {shlex.quote(json.dumps(job.runtime_env))}"
    options = {
        "metadata-json": json.dumps(spec.metadata) if spec.metadata else None,
        "entrypoint-num-cpus": spec.entrypointNumCpus,
        "entrypoint-num-gpus": spec.entrypointNumGpus,
        "entrypoint-resources": json.dumps(spec.entrypointResources) if spec.entrypointResources else None,
    }
    for name, value in options.items():
        line += "" if value is None else f" --{name} {shlex.quote(str(value))}"
    entrypoint = spec.entrypoint.strip()
    shell = _SHELL.search(entrypoint) is not None
    return f"{line} -- {shlex.join(['sh', '-c', entrypoint]) if shell else entrypoint}"
