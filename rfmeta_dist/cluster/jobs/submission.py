"""Submit a job to a cluster, follow it, submit it again if it fails, and stop it at its deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from rfmeta_dist.cluster.jobs import limits
from rfmeta_dist.cluster.jobs.client import connect, first_line, refusal, too_large
from rfmeta_dist.cluster.jobs.control import stop
from rfmeta_dist.cluster.jobs.following import Follower, Say, come_back
from rfmeta_dist.cluster.jobs.spec import Job
from rfmeta_dist.core.errors import ClusterError, ConfigError, RfmetaError
from rfmeta_dist.core.trace import VARIABLE as TRACE

NO_AGENT = "No available agent"  # Ray's answer while a head that has just started does not accept jobs yet


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        identifier: identifier of its last attempt on the cluster.
        code: exit code of its driver; 0 if the job succeeded, 124 if it passed its deadline; None if nothing
            follows it.
        trace: the identifier that all attempts share.
    """

    identifier: str
    code: int | None
    trace: str


@dataclass(frozen=True)
class Listener:
    """What a submission tells its user.

    Attributes:
        on_log: called with each piece of the job's log.
        say: called with each message about the job and the connection.
        stop_too: called after Ctrl-C; returns True if the job is to be stopped as well.
    """

    on_log: Say
    say: Say
    stop_too: Callable[[], bool] = lambda: False


def with_trace(job: Job, trace: str) -> dict[str, Any]:
    """Return the job's runtime environment with the variable RFMETA_TRACE, unless the job spec sets it."""
    variables = {TRACE: trace} | job.runtime_env.get("env_vars", {})
    return job.runtime_env | {"env_vars": variables}


def submit(job: Job, address: str, listener: Listener, *, detach: bool = False) -> Ended:
    """Submit a job, follow its log, retry it up to `backoffLimit` times, and return how it ended.

    All attempts together may take `activeDeadlineSeconds`. The job is stopped then.

    Args:
        job: from `spec.read`.
        address: URL of the cluster, from `cluster_url`.
        listener: gets the log and the messages.
        detach: return as soon as the cluster has accepted the job.

    Raises:
        ClusterError: the cluster cannot be reached or refuses the request; or it has accepted the job but does
            not answer any longer, and the error names the job and the command that follows it again.
        ConfigError: the job's environment cannot be packed for the cluster.
    """
    client, stamp, say = connect(address), int(time.time()), listener.say
    trace = with_trace(job, f"{job.name}-{stamp}")["env_vars"][TRACE]
    seconds = job.spec.activeDeadlineSeconds
    deadline = None if seconds is None else time.monotonic() + seconds
    for attempt in range(job.spec.backoffLimit + 1):
        identifier = f"{job.name}-{stamp}-{attempt}"
        _hand_over(client, job, identifier, trace, address, say)
        say(f"the cluster at {address} has accepted job {identifier} (trace {trace})")
        if detach:
            return Ended(identifier, None, trace)
        code = _followed(client, identifier, address, deadline, listener)
        if code is None:
            say(f"job {identifier} has passed its deadline: spec.activeDeadlineSeconds is {seconds}")
            return Ended(identifier, limits.TIMED_OUT, trace)
        if code in (0, limits.STOPPED) or attempt == job.spec.backoffLimit:
            break
        if deadline is not None and time.monotonic() >= deadline:
            say(f"job {identifier} ended with exit code {code} after its deadline, so it is not tried again")
            break
        say(f"job {identifier} ended with exit code {code}; it is tried again, as spec.backoffLimit says")
    return Ended(identifier, code, trace)


def _followed(
    client: Any, identifier: str, address: str, deadline: float | None, listener: Listener
) -> int | None:
    """Return the job's exit code; None if its deadline has passed. It has been asked to stop then."""
    follower = Follower(client, identifier, address, listener.on_log, listener.say)
    try:
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return asyncio.run(asyncio.wait_for(follower.follow(), remaining))
        except TimeoutError:
            pass
        stop(client, identifier, address, listener.say)
        with suppress(TimeoutError):  # show what the job wrote until it ended
            asyncio.run(asyncio.wait_for(follower.follow(), limits.ANSWER_S))
        return None
    except RfmetaError:
        raise
    except BaseException as error:  # Ctrl-C, a closed terminal, or a reader of the output that has ended
        if isinstance(error, KeyboardInterrupt) and _stop_too(listener):
            stop(client, identifier, address, listener.say)
        else:
            listener.say(f"job {identifier} keeps running on the cluster; {come_back(identifier, address)}")
        raise


def _stop_too(listener: Listener) -> bool:
    try:
        return listener.stop_too()
    except KeyboardInterrupt:  # the second Ctrl-C
        return False


def _hand_over(client: Any, job: Job, identifier: str, trace: str, address: str, say: Say) -> None:
    from ray.exceptions import RayError

    try:
        waiting = f"waiting for the cluster at {address}, which is still starting"
        _submit_when_ready(client, job, identifier, trace, lambda: say(waiting))
    except RfmetaError:
        raise
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C or SIGTERM; the request may have been sent
        say(f"interrupted; this command says whether the cluster has the job: {_look(identifier, address)}")
        raise
    except OSError as error:  # from the HTTP client: the request or its answer was lost
        with suppress(Exception):
            client.get_job_info(identifier)
            return
        raise ClusterError(
            f"the cluster at {address} did not answer ({first_line(error)}), so it is not known whether it "
            f"has accepted job {identifier}",
            f"before you submit it again, check with: {_look(identifier, address)}",
        ) from error
    except (RuntimeError, RayError) as error:  # the cluster answered and refused
        if "status code 413" in str(error):
            raise too_large(first_line(error)) from error
        if "already exists" in str(error):
            raise ClusterError(
                f"the cluster at {address} has a job {identifier} already: another one was submitted in this "
                "second, or the request was sent twice on its way",
                f"look at it with: {_look(identifier, address)}",
            ) from error
        raise refusal(address, error) from error
    except Exception as error:  # Ray's check of the runtime environment raises many kinds
        raise ConfigError(
            f"spec.runtimeEnvYAML cannot be used: {first_line(error)}",
            "correct this part of the job spec; to compare with, this prints a complete one: rfmeta example "
            "leave_one_out",
        ) from error


def _look(identifier: str, address: str) -> str:
    return f"rfmeta jobs show {identifier} --address {address}"


def _submit_when_ready(client: Any, job: Job, identifier: str, trace: str, on_wait: Callable[[], None]) -> None:
    """Submit a job. If the cluster is still starting, call `on_wait` once and wait for it, at most LOST_S."""
    spec, until, waited = job.spec, time.monotonic() + limits.LOST_S, False
    while True:
        try:
            client.submit_job(
                entrypoint=spec.entrypoint,
                submission_id=identifier,
                runtime_env=with_trace(job, trace),
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
        time.sleep(limits.RETRY_S)
