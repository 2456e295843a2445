"""`rfmeta jobs`: list, show, stop and wait for the jobs of a running Ray cluster."""

from __future__ import annotations

import asyncio
import datetime
import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, say_log, show, show_log, show_table

if TYPE_CHECKING:
    from rfmeta_dist.cluster.jobs.control import About

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, stop and wait for the jobs of a Ray cluster.",
    rich_markup_mode="rich",
)
Identifier = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="Identifier of the job, or a beginning that no other job shares.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        help="URL of the cluster's Ray dashboard; RAY_API_SERVER_ADDRESS or http://127.0.0.1:8265 if not given."
    ),
]
LIST_EXAMPLES = """
[bold]Examples[/]

  rfmeta jobs ls --address http://head:8265

  rfmeta jobs ls --json
"""
SHOW_EXAMPLES = """
[bold]Examples[/]

  rfmeta jobs show leave-one-out-1796022000-0

  rfmeta jobs show leave-one-out --json

Of the job's environment variables, only the names are shown.
"""
LOGS_EXAMPLES = """
[bold]Examples[/]

  rfmeta jobs logs leave-one-out-1796022000-0

  rfmeta jobs logs leave-one-out-1796022000-0 --follow

With --follow, a connection that breaks is taken up again, and the exit code is that of the job.
"""
STOP_EXAMPLES = """
[bold]Example[/]

  rfmeta jobs stop leave-one-out-1796022000-0

Ray sends SIGTERM to the job's driver, and SIGKILL 3 s later, or as many seconds later as the variable
RAY_JOB_STOP_WAIT_TIME_S of the head says. The command waits until the job has ended.
Ray cannot stop a job that is still pending; the exit code is 6 then.
"""
WAIT_EXAMPLES = """
[bold]Examples[/]

  rfmeta jobs wait leave-one-out-1796022000-0

  rfmeta jobs wait leave-one-out-1796022000-0 --timeout 3600

The exit code is that of the job, 143 if it was stopped, and 124 if --timeout has passed before its end.
"""


def _client(address: str | None) -> tuple[Any, str]:
    from rfmeta_dist.cluster.jobs.address import cluster_url
    from rfmeta_dist.cluster.jobs.client import connect

    url = cluster_url(address)
    return connect(url, "the cluster's jobs could not be asked for"), url


@app.command("ls", epilog=LIST_EXAMPLES)
def list_jobs(address: Cluster = None, json: Json = False) -> None:
    """List the jobs that the cluster knows, those started last first."""
    from rfmeta_dist.cluster.jobs.control import jobs_of

    jobs = jobs_of(*_client(address))
    if json:
        print_json([job.as_json() for job in jobs])
        return
    if not jobs:
        say("the cluster has no jobs")
        return
    owned = any("owner" in job.metadata for job in jobs)
    show_table(
        ["job", "status", "started", "took", "exit code", "trace", *(["owner"] if owned else [])],
        (_row(job) + ([job.metadata.get("owner", "")] if owned else []) for job in jobs),
    )


def _row(job: About) -> list[str]:
    code = "" if job.exit_code is None else str(job.exit_code)
    return [job.job, job.status, _time(job.started), _took(job), code, job.trace or ""]


def _time(seconds: float | None) -> str:
    """Return a Unix time as local time, such as 2026-11-30 06:54:31."""
    return "" if seconds is None else f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def _took(job: About) -> str:
    if job.started is None:
        return ""
    end = datetime.datetime.now().timestamp() if job.ended is None else job.ended
    return str(datetime.timedelta(seconds=max(0, round(end - job.started))))


@app.command("show", epilog=SHOW_EXAMPLES)
def show_job(job: Identifier, address: Cluster = None, json: Json = False) -> None:
    """Show what the cluster says about one job."""
    from rfmeta_dist.cluster.jobs.control import about, find

    client, url = _client(address)
    known = about(find(client, url, job))
    if json:
        print_json(known.as_json())
        return
    lines = {
        "job": known.job,
        "status": known.status if known.exit_code is None else f"{known.status}, exit code {known.exit_code}",
        "message": known.message,
        "error": known.error,
        "trace": known.trace,
        "started": _time(known.started),
        "ended": _time(known.ended),
        "took": _took(known),
        "entrypoint": known.entrypoint,
        "environment": json_module.dumps(known.runtime_env, ensure_ascii=False),
        "driver's node": known.node,
        **{f"metadata {name}": value for name, value in known.metadata.items()},
    }
    show(*(f"{name:14} {line}" for name, value in lines.items() if value for line in value.splitlines()))


@app.command("logs", epilog=LOGS_EXAMPLES)
def show_logs(
    job: Identifier,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the log until the job ends.")] = False,
    address: Cluster = None,
    json: Json = False,
) -> None:
    """Show what a job has written to its stdout and stderr."""
    from rfmeta_dist.cluster.jobs.control import about, find, log_of, require_submitted
    from rfmeta_dist.cluster.jobs.following import Follower

    client, url = _client(address)
    known = about(find(client, url, job))
    require_submitted(known)
    if not follow:
        text = log_of(client, url, known)
        if json:
            print_json({"job": known.job, "status": known.status, "log": text})
        else:
            show_log(text)
        return
    code = asyncio.run(Follower(client, known.job, url, say_log if json else show_log, say).follow())
    if json:
        print_json({"job": known.job, "exit_code": code})
    raise typer.Exit(code)


@app.command("stop", epilog=STOP_EXAMPLES)
def stop_job(job: Identifier, address: Cluster = None, json: Json = False) -> None:
    """Stop a job, and wait until it has ended."""
    from rfmeta_dist.cluster.jobs.control import about, find, require_submitted, stop

    client, url = _client(address)
    known = about(find(client, url, job))
    require_submitted(known)
    ended = stop(client, known.job, url, say)
    if json:
        print_json({"job": ended.job, "status": ended.status, "exit_code": ended.exit_code})


@app.command("wait", epilog=WAIT_EXAMPLES)
def wait_for_job(
    job: Identifier,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which to stop waiting; for ever if not given.")
    ] = None,
    address: Cluster = None,
    json: Json = False,
) -> None:
    """Wait until a job has ended. The exit code is that of the job."""
    from rfmeta_dist.cluster.jobs import limits
    from rfmeta_dist.cluster.jobs.control import about, find, wait

    client, url = _client(address)
    known = about(find(client, url, job))
    ended = wait(client, known.job, url, timeout, say)
    code = limits.TIMED_OUT if ended is None else ended.exit_code
    if json:
        print_json({"job": known.job, "status": None if ended is None else ended.status, "exit_code": code})
    elif ended is None:
        say(f"job {known.job} has not ended after {timeout:g} s, and keeps running")
    else:
        say(f"job {ended.job} has ended: {ended.status}, exit code {code}")
    raise typer.Exit(code or 0)
