"""Find, list, stop and wait for the jobs of a cluster."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from rfmeta_dist.cluster.jobs import limits
from rfmeta_dist.cluster.jobs.client import first_line, is_unknown, refusal
from rfmeta_dist.cluster.jobs.following import Say, exit_code
from rfmeta_dist.core.credentials import hidden, is_secret
from rfmeta_dist.core.errors import ClusterError, ConfigError, RfmetaError
from rfmeta_dist.core.trace import VARIABLE as TRACE


@dataclass(frozen=True)
class About:
    """What a cluster says about one job. Values of variables and credentials are left out.

    Attributes:
        job: its submission id; for a driver that was not submitted, such as a notebook, Ray's job id.
        status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        started, ended: Unix times in seconds; None if it has not.
        exit_code: that of its driver; None while it runs, and if it never ran.
        trace: its RFMETA_TRACE; None for jobs of other programs.
        metadata: as given with the job.
        entrypoint: its command.
        message: what Ray says about its status.
        error: Ray's kind of error, such as JOB_ENTRYPOINT_COMMAND_ERROR.
        runtime_env: its runtime environment; of variables only the names.
        node: address of the node on which its driver runs.
        submitted: whether it came through the Jobs API. Only such jobs can be stopped and have a log there.
    """

    job: str
    status: str
    started: float | None
    ended: float | None
    exit_code: int | None
    trace: str | None
    metadata: dict[str, str]
    entrypoint: str
    message: str
    error: str | None
    runtime_env: dict[str, Any]
    node: str | None
    submitted: bool

    def as_json(self) -> dict[str, Any]:
        """Return the attributes by their names."""
        return asdict(self)


def about(info: Any) -> About:
    """Return what is shown of Ray's JobDetails."""
    environment = dict(info.runtime_env or {})
    variables = environment.get("env_vars") or {}
    if variables:
        environment["env_vars"] = sorted(variables)
    ended = None if info.end_time is None or not info.status.is_terminal() else info.end_time / 1000
    metadata = {k: "***" if is_secret(k) else hidden(v) for k, v in (info.metadata or {}).items()}
    return About(
        job=info.submission_id or info.job_id or "?",
        status=info.status.value,
        started=None if info.start_time is None else info.start_time / 1000,
        ended=ended,
        exit_code=exit_code(info) if info.status.is_terminal() else None,
        trace=variables.get(TRACE),
        metadata=metadata,
        entrypoint=hidden(info.entrypoint),
        message=hidden(info.message or ""),
        error=info.error_type,
        runtime_env=_masked(environment),
        node=info.driver_info.node_ip_address if info.driver_info else None,
        submitted=info.submission_id is not None,
    )


def _masked(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _masked(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_masked(value) for value in tree]
    return hidden(tree) if isinstance(tree, str) else tree


@contextmanager
def _asking(address: str, what: str) -> Iterator[None]:
    """Convert what Ray's client raises into a ClusterError that says what could not be done."""
    try:
        yield
    except RfmetaError:
        raise
    except Exception as error:  # Ray, the HTTP client and the layers below raise many kinds
        raise refusal(address, error, what) from error


def jobs_of(client: Any, address: str) -> list[About]:
    """Return all jobs that the cluster knows, those started last first.

    Raises:
        ClusterError: the cluster does not answer or refuses.
    """
    with _asking(address, "the jobs could not be listed"):
        return sorted(map(about, client.list_jobs()), key=lambda job: (-(job.started or 0), job.job))


def find(client: Any, address: str, identifier: str) -> Any:
    """Return Ray's JobDetails of one job.

    Args:
        client: from `client.connect`.
        address: URL of the cluster, for messages.
        identifier: the job's identifier, or the beginning of one that no other job shares.

    Raises:
        ConfigError: no job has this identifier, or several begin with it.
        ClusterError: the cluster does not answer or refuses.
    """
    with _asking(address, "the job could not be looked up"):
        try:
            if re.fullmatch(r"\w[\w.-]*", identifier):  # other characters would change the URL
                return client.get_job_info(identifier)
        except Exception as error:
            if not is_unknown(error):
                raise
        jobs = client.list_jobs()
    named = {job.submission_id or job.job_id or "?": job for job in reversed(jobs)}
    fitting = [name for name in named if identifier and name.startswith(identifier)]
    if len(fitting) == 1:
        return named[fitting[0]]
    if fitting:
        some = ", ".join(sorted(fitting)[:5])
        raise ConfigError(f"{len(fitting)} jobs begin with {identifier}: {some}", "give more of the identifier")
    near = difflib.get_close_matches(identifier, named, n=3, cutoff=0.5)
    raise ConfigError(
        f"the cluster at {address} has no job {identifier}",
        f"use one of these: {', '.join(near)}" if near else "these are listed by: rfmeta jobs ls",
    )


def require_submitted(job: About) -> None:
    """Raise a ConfigError unless a job came through the Jobs API. Ray keeps no log of others."""
    if not job.submitted:
        raise ConfigError(
            f"job {job.job} was not submitted through the Jobs API, so Ray neither keeps its log "
            "there nor stops it",
            "look at it in the cluster's dashboard, and end its driver where it was started",
        )


def log_of(client: Any, address: str, job: About) -> str:
    """Return all that a job has written so far; empty if its driver has not started.

    Raises:
        ClusterError: the cluster does not answer or refuses.
    """
    with _asking(address, f"the log of job {job.job} could not be read"):
        return str(client.get_job_logs(job.job))


def stop(client: Any, identifier: str, address: str, say: Say) -> About:
    """Ask the cluster to stop a job, wait until it has ended, and return what it is then.

    Ray sends SIGTERM to the driver, and SIGKILL 3 s later (RAY_JOB_STOP_WAIT_TIME_S of the head).

    Raises:
        ClusterError: the cluster refuses; or the job has not ended in time. Ray cannot stop a pending job.
    """
    with _asking(address, f"job {identifier} could not be stopped"):
        info = client.get_job_info(identifier)
        if info.status.is_terminal():
            say(f"job {identifier} had ended already: {info.status.value}")
            return about(info)
        pending = info.status.value == "PENDING"
        client.stop_job(identifier)
        until = time.monotonic() + (limits.PENDING_S if pending else limits.STOP_S)
        while not info.status.is_terminal() and time.monotonic() < until:
            time.sleep(limits.POLL_S)
            info = client.get_job_info(identifier)
    if info.status.is_terminal():
        say(f"job {identifier} has ended: {info.status.value}")
        return about(info)
    if info.status.value == "PENDING":
        raise ClusterError(
            f"job {identifier} is pending, and Ray cannot stop a job before its driver has started (ray#58353)"
            "; it has been asked to stop all the same",
            f"look at it again with rfmeta jobs show {identifier} --address {address}: it fails when it has "
            f"waited for {limits.START_S} s (RAY_JOB_START_TIMEOUT_SECONDS of the head)",
        )
    raise ClusterError(
        f"job {identifier} is {info.status.value} {limits.STOP_S} s after it was asked to stop",
        f"look at it again with: rfmeta jobs show {identifier} --address {address}",
    )


def wait(client: Any, identifier: str, address: str, timeout: float | None, say: Say) -> About | None:
    """Wait until a job has ended, and return what it is then; None if `timeout` seconds have passed before.

    Raises:
        ClusterError: the cluster has not answered for LOST_S seconds, or no longer knows the job.
    """
    until = None if timeout is None else time.monotonic() + timeout
    heard, said = time.monotonic(), ""
    while True:
        try:
            info = client.get_job_info(identifier)
        except Exception as error:  # Ray, the HTTP client and the layers below raise many kinds
            if is_unknown(error) or time.monotonic() - heard > limits.LOST_S:
                raise refusal(address, error, f"job {identifier} could not be waited for") from error
        else:
            heard = time.monotonic()
            if info.status.is_terminal():
                return about(info)
            if info.status.value == "PENDING" and (info.message or "") not in ("", said):
                said = info.message
                say(f"job {identifier} is pending: {first_line(info.message)}")
        if until is not None and time.monotonic() >= until:
            return None
        time.sleep(limits.POLL_S if until is None else max(0.0, min(limits.POLL_S, until - time.monotonic())))
