"""`rfmeta submit`: a RayJob manifest, read here and submitted to a running cluster through the Jobs API.

It is the file that KubeRay takes; we use metadata.name, and of its spec the FIELDS. Credentials do not belong
in it: the cluster's nodes have them in their environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rfmeta_dist.core.errors import ClusterError, ConfigError

FIELDS = {
    "entrypoint",
    "runtimeEnvYAML",
    "entrypointNumCpus",
    "entrypointNumGpus",
    "entrypointResources",
    "metadata",
    "backoffLimit",
}
CONNECT_S = 5
STOPPED = 143  # what a shell reports of a process that was asked to end
SECRETS = ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")


@dataclass(frozen=True)
class Job:
    """What to run on a cluster; field names as in the manifest, in Python's case."""

    name: str
    entrypoint: str
    runtime_env: dict[str, Any]
    cpus: float | None
    gpus: float | None
    resources: dict[str, float] | None
    metadata: dict[str, str]
    retries: int


def read(path: Path) -> Job:
    """Read a RayJob manifest.

    Raises:
        ConfigError: it is missing, not a RayJob, has a field we do not use, or holds a credential.
    """
    if not path.is_file():
        raise ConfigError(f"job spec {path} does not exist", "see jobs/ for ones to start from")
    try:
        manifest = yaml.safe_load(path.read_text())
        spec = manifest["spec"]
        runtime_env = dict(yaml.safe_load(spec.get("runtimeEnvYAML") or "{}"))
        variables = dict(runtime_env.get("env_vars") or {})
        kind, unknown = manifest["kind"], sorted(spec.keys() - FIELDS)
        job = Job(
            manifest["metadata"]["name"],
            spec["entrypoint"],
            runtime_env,
            spec.get("entrypointNumCpus"),
            spec.get("entrypointNumGpus"),
            spec.get("entrypointResources"),
            spec.get("metadata") or {},
            int(spec.get("backoffLimit", 0)),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{path} is not a RayJob manifest ({type(error).__name__}: {str(error).splitlines()[0]})",
            "start from jobs/leave_one_out.yaml",
        ) from error
    if kind != "RayJob":
        raise ConfigError(f"{path} has kind {kind}", "a job spec has kind RayJob")
    if unknown:
        raise ConfigError(
            f"{path}: field spec.{unknown[0]} is unknown", f"known are {', '.join(sorted(FIELDS))}"
        )
    _refuse_credentials(path, variables)
    return job


def submit(job: Job, address: str, on_line: Callable[[str], None]) -> int:
    """Submit a job, follow its log, retry as it says, and return its driver's exit code.

    Args:
        job: from `read`.
        address: the dashboard, such as http://127.0.0.1:8265. The token comes from RAY_AUTH_TOKEN or
            RAY_AUTH_TOKEN_PATH with RAY_AUTH_MODE=token.
        on_line: called with every piece of the job's log.

    Raises:
        ClusterError: the cluster cannot be reached, or refuses the request.
    """
    client = _connect(address)
    stamp = int(time.time())
    code = 1
    for attempt in range(job.retries + 1):
        identifier = f"{job.name}-{stamp}-{attempt}"
        try:
            client.submit_job(
                entrypoint=job.entrypoint,
                submission_id=identifier,
                runtime_env=job.runtime_env,
                metadata=job.metadata,
                entrypoint_num_cpus=job.cpus,
                entrypoint_num_gpus=job.gpus,
                entrypoint_resources=job.resources,
            )
            code = asyncio.run(_follow(client, identifier, on_line))
        except (RuntimeError, ConnectionError) as error:
            raise _refusal(address, error) from error
        if code in (0, STOPPED):
            return code
    return code


def _connect(address: str) -> Any:
    # RAY_ADDRESS and RAY_API_SERVER_ADDRESS would override the address given.
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.WARNING)  # packaging and sockets are no news to a user
    try:
        _require_answer(address)
        return JobSubmissionClient(address)
    except Exception as error:  # Ray raises RuntimeError, ConnectionError and its own kinds here
        raise _refusal(address, error) from error


def _require_answer(address: str) -> None:
    """Whether anybody answers there; Ray's client would wait without end for one who only listens."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    if address.startswith(("http://", "https://")):
        with suppress(HTTPError):  # an answer, which Ray's client explains
            urlopen(f"{address.rstrip('/')}/api/version", timeout=CONNECT_S).close()


async def _follow(client: Any, identifier: str, on_line: Callable[[str], None]) -> int:
    async for line in client.tail_job_logs(identifier):
        on_line(line)
    while not client.get_job_status(identifier).is_terminal():
        await asyncio.sleep(0.2)
    info = client.get_job_info(identifier)
    ends = {"SUCCEEDED": 0, "STOPPED": STOPPED}
    return ends.get(info.status.value, info.driver_exit_code or 1)


def _refusal(address: str, error: Exception) -> ClusterError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    lowered = str(error).lower()
    if "401" in lowered or "403" in lowered or "token" in lowered or "auth" in lowered:
        return ClusterError(
            f"the cluster at {address} refused the request: {reason}",
            "export RAY_AUTH_MODE=token and RAY_AUTH_TOKEN with the cluster's token",
        )
    return ClusterError(f"the cluster at {address} did not take the job: {reason}", "check address and cluster")


def _refuse_credentials(path: Path, variables: dict[str, Any]) -> None:
    for name in variables:
        if any(mark in str(name).upper() for mark in SECRETS):
            raise ConfigError(
                f"{path} sets {name}, a credential",
                "remove it; set it in the environment of the cluster's nodes",
            )
