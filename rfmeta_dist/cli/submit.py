"""`rfmeta submit`: a job spec to a running cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import say

EXAMPLES = """
[bold]Example[/]

  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=…

  rfmeta submit jobs/leave_one_out.yaml --address http://127.0.0.1:8265

Follows the job's log and ends with its driver's exit code.
"""
DEFAULT = "http://127.0.0.1:8265"


def submit(
    job: Annotated[Path, typer.Argument(help="A RayJob manifest; see jobs/.", show_default=False)],
    address: Annotated[
        str | None,
        typer.Option(help=f"The cluster's dashboard; RAY_API_SERVER_ADDRESS or {DEFAULT} if not given."),
    ] = None,
) -> None:
    """Run a job on a cluster, from a spec in jobs/."""
    from rfmeta_dist.cluster import jobs

    spec = jobs.read(job)
    where = address or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT
    code = jobs.submit(spec, where, lambda text: typer.echo(text, nl=False))
    say(f"job {spec.name} ended with exit code {code}")
    raise typer.Exit(code)
