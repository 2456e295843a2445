"""`rfmeta submit`: submit a job spec to a running cluster through Ray's Jobs API, and follow it to its end.

The job runs on the cluster even if following it fails, for example because a load balancer cuts the log or the
head is restarted. So an error after the cluster has accepted the job is reported as one of the connection.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rfmeta_dist.core.errors import ClusterError, ConfigError, RfmetaError

if TYPE_CHECKING:
    from rfmeta_dist.cluster.jobspec import Job

CONNECT_S = 5
ANSWER_S = 30  # seconds for one answer; Ray's client would wait for ever
QUIET_S = 10  # seconds without a line of the log before the job's status is asked for
RETRY_S = 2  # seconds between two connections to a log
LOST_S = 60  # seconds without any answer before giving up; a head that restarts needs less
NO_AGENT = "No available agent"  # Ray's answer while a head that has just started does not accept jobs yet
STOPPED = 143  # exit code of a process that SIGTERM ended; 128 + 15

Say = Callable[[str], None]


def submit(job: Job, address: str, on_log: Say, say: Say) -> Ended:
    """Submit a job, follow its log, retry it up to `backoffLimit` times, and return how it ended.

    Args:
        job: from `jobspec.read`.
        address: the dashboard, such as http://127.0.0.1:8265. The token comes from RAY_AUTH_TOKEN or
            RAY_AUTH_TOKEN_PATH with RAY_AUTH_MODE=token.
        on_log: called with each piece of the job's log.
        say: called with each message for the user about the job and the connection.

    Raises:
        ClusterError: the cluster cannot be reached or refuses the request; or it has accepted the job but does
            not answer any longer, and the error names the job and the command that follows it again.
        ConfigError: the job's environment cannot be packed for the cluster.
    """
    client = _connect(address)
    stamp = int(time.time())
    for attempt in range(job.spec.backoffLimit + 1):
        identifier = f"{job.name}-{stamp}-{attempt}"
        come_back = f"follow it with: ray job logs {identifier} --follow --address {address}"
        _hand_over(client, job, identifier, address, say)
        say(f"the cluster at {address} has accepted job {identifier}")
        try:
            code = asyncio.run(_Follower(client, identifier, address, come_back, on_log, say).follow())
        except RfmetaError:
            raise
        except BaseException:  # Ctrl-C, a closed terminal, or a reader of the output that has ended
            say(f"job {identifier} keeps running on the cluster; {come_back}")
            raise
        if code in (0, STOPPED):
            break
    return Ended(identifier, code)


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        identifier: identifier of its last attempt on the cluster.
        code: exit code of its driver; 0 if the job succeeded.
    """

    identifier: str
    code: int


def _connect(address: str) -> Any:
    # RAY_ADDRESS and RAY_API_SERVER_ADDRESS would override the address given.
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)
    from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):  # type: ignore[misc]
        """Ray's client, with a time limit for each request and a check of its size before it is sent."""

        def _do_request(self, method: str, endpoint: str, *, data: bytes | None = None, **options: Any) -> Any:
            if data is not None and len(data) > DASHBOARD_CLIENT_MAX_SIZE:
                limit = DASHBOARD_CLIENT_MAX_SIZE >> 20
                raise _too_large(f"{len(data) >> 20} MiB, and Ray's dashboard accepts {limit} MiB")
            return super()._do_request(method, endpoint, data=data, **options, timeout=ANSWER_S)

    for name in ("ray", "ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk"):
        logging.getLogger(name).setLevel(
            logging.ERROR
        )  # their lines about packages and sockets do not help a user
    try:
        _require_answer(address)
        return Client(address)
    except Exception as error:  # Ray raises RuntimeError, ConnectionError and its own kinds here
        raise _refusal(address, error) from error


def _require_answer(address: str) -> None:
    """Raise an OSError unless a server answers at the address. Ray's client would take longer to fail."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    if address.startswith(("http://", "https://")):
        with suppress(HTTPError):  # the server did answer; Ray's client explains the refusal
            urlopen(f"{address.rstrip('/')}/api/version", timeout=CONNECT_S).close()


def _hand_over(client: Any, job: Job, identifier: str, address: str, say: Say) -> None:
    from ray.exceptions import RayError

    try:
        waiting = f"waiting for the cluster at {address}, which is still starting"
        _submit_when_ready(client, job, identifier, lambda: say(waiting))
    except RfmetaError:
        raise
    except OSError as error:  # from the HTTP client: the request or its answer was lost
        with suppress(Exception):
            client.get_job_info(identifier)
            return
        raise ClusterError(
            f"the cluster at {address} did not answer ({_first_line(error)}), so it is not known whether it "
            f"has accepted job {identifier}",
            f"before you submit it again, check with: ray job status {identifier} --address {address}",
        ) from error
    except (RuntimeError, RayError) as error:  # the cluster answered and refused
        if "status code 413" in str(error):
            raise _too_large(_first_line(error)) from error
        raise _refusal(address, error) from error
    except Exception as error:  # Ray's check of the runtime environment raises many kinds
        raise ConfigError(
            f"spec.runtimeEnvYAML cannot be used: {_first_line(error)}",
            "correct this part of the job spec; to compare with, this prints a complete one: rfmeta example "
            "leave_one_out",
        ) from error


def _submit_when_ready(client: Any, job: Job, identifier: str, on_wait: Callable[[], None]) -> None:
    """Submit a job. If the cluster is still starting, call `on_wait` once and wait for it, at most LOST_S."""
    spec, until, waited = job.spec, time.monotonic() + LOST_S, False
    while True:
        try:
            client.submit_job(
                entrypoint=spec.entrypoint,
                submission_id=identifier,
                runtime_env=job.runtime_env,
                metadata=dict(spec.metadata),
                entrypoint_num_cpus=spec.entrypointNumCpus,
                entrypoint_num_gpus=spec.entrypointNumGpus,
                entrypoint_resources=spec.entrypointResources,
            )
            return
        except RuntimeError as error:
            if NO_AGENT not in str(error) or time.monotonic() > until:
                raise
        if not waited:
            on_wait()
        waited = True
        time.sleep(RETRY_S)


class _Follower:
    """Follows one job that the cluster has accepted, and connects again if a connection is lost."""

    def __init__(
        self, client: Any, identifier: str, address: str, come_back: str, on_log: Say, say: Say
    ) -> None:
        self._client, self._identifier, self._address = client, identifier, address
        self._come_back, self._on_log, self._say = come_back, on_log, say
        self._shown = 0  # characters of the log passed on; each connection sends the log from its start
        self._heard = time.monotonic()
        self._known = "submitted"  # the job's last known status
        self._said = ""
        self._reason = ""  # why the last connection failed

    async def follow(self) -> int:
        """Return the exit code of the job's driver.

        Raises:
            ClusterError: the cluster has not answered for LOST_S seconds.
        """
        last = False
        while True:
            whole = await self._read_log()
            info = self._ask()
            if info is None or not info.status.is_terminal():
                await asyncio.sleep(RETRY_S)
            elif whole or last:
                break
            else:
                last = True  # the job has ended, but its log was cut off: try once more to read the rest
        if not whole:
            self._say(f"the end of the log was not received ({self._reason}); {self._come_back}")
        if info.status.value == "FAILED":
            self._say(f"job {self._identifier} failed: {_first_line(info.message)}")
        ends = {"SUCCEEDED": 0, "STOPPED": STOPPED}
        return int(ends.get(info.status.value, info.driver_exit_code or 1))

    async def _read_log(self) -> bool:
        """Pass on the new part of the log. Return True if the log was received to its end."""
        seen = 0
        pieces = self._client.tail_job_logs(self._identifier)
        while True:
            step = asyncio.ensure_future(anext(pieces))
            over = False
            while not (await asyncio.wait([step], timeout=QUIET_S))[0]:
                # No data: the job may wait or have ended, or the connection may be broken without a notice.
                if over:
                    step.cancel()
                info = None if over else self._ask()
                over = info is not None and info.status.is_terminal()
            error = None if step.cancelled() else step.exception()
            if step.cancelled() or error is not None:
                self._reason = _first_line(error or "the connection went silent")
                return isinstance(error, StopAsyncIteration)
            piece = step.result()
            new, seen = piece[max(0, self._shown - seen) :], seen + len(piece)
            if new:
                self._heard, self._shown = time.monotonic(), seen
                self._on_log(new)

    def _ask(self) -> Any:
        """Return what the cluster says about the job; None if it does not answer.

        Raises:
            ClusterError: the cluster has not answered for LOST_S seconds.
        """
        try:
            info = self._client.get_job_info(self._identifier)
        except Exception as error:  # Ray, the HTTP client and the layers below raise many kinds
            self._reason = _first_line(error)
            silent = time.monotonic() - self._heard
            if silent < LOST_S:
                return None
            raise ClusterError(
                f"the cluster at {self._address} has not answered for {silent:.0f} s ({self._reason}); job "
                f"{self._identifier} was {self._known} when last asked about, and may still run",
                f"do not submit it again; {self._come_back}",
            ) from error
        self._heard, self._known = time.monotonic(), info.status.value
        if self._known == "PENDING" and info.message not in ("", None, self._said):
            self._said = info.message
            self._say(f"job {self._identifier} is pending: {_first_line(info.message)}")
        return info


def _first_line(reason: Any) -> str:
    return next((line.strip() for line in str(reason).splitlines() if line.strip()), type(reason).__name__)


def _too_large(how: str) -> ConfigError:
    return ConfigError(
        f"the working directory is too large to send ({how})",
        "list files that the job does not need in .gitignore or under excludes in spec.runtimeEnvYAML, or set "
        "working_dir to the URL of a .zip",
    )


def _refusal(address: str, error: Exception) -> ClusterError:
    reason, lowered = _first_line(error), str(error).lower()
    if any(mark in lowered for mark in ("401", "403", "token", "auth")):
        return ClusterError(
            f"the cluster at {address} refused the request: {reason}",
            "export RAY_AUTH_MODE=token and RAY_AUTH_TOKEN with the cluster's token",
        )
    return ClusterError(
        f"the job could not be given to the cluster at {address}: {reason}",
        "check --address, the URL of the cluster's dashboard, such as http://head:8265, and that it is up",
    )
