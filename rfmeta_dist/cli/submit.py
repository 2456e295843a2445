"""`rfmeta submit`: run a job spec on a running Ray cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, say_log, show_log

EXAMPLES = """
[bold]Example[/]

  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=…

  rfmeta example leave_one_out > job.yaml

  rfmeta submit job.yaml --address http://127.0.0.1:8265

The job's log is printed until the job ends (on stderr with --json). The exit code is that of the job.
"""
DEFAULT = "http://127.0.0.1:8265"


def submit(
    job: Annotated[
        Path,
        typer.Argument(help="Job spec, a RayJob manifest; `rfmeta example` lists some.", show_default=False),
    ],
    address: Annotated[
        str | None,
        typer.Option(
            help=f"URL of the cluster's Ray dashboard; RAY_API_SERVER_ADDRESS or {DEFAULT} if not given."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run the job that a job spec describes on a Ray cluster, and follow its log."""
    from rfmeta_dist.cluster import jobs, jobspec

    spec = jobspec.read(job)
    where = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT
    ended = jobs.submit(spec, where, say_log if json else show_log, say)
    if json:
        print_json({"job": ended.identifier, "exit_code": ended.code})
    else:
        say(f"job {ended.identifier} ended with exit code {ended.code}")
    raise typer.Exit(ended.code)
