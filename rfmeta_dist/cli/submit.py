"""`rfmeta submit`: run a job spec on a running Ray cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from rfmeta_dist.cli.terminal import Json, ask, interactive, print_json, say, say_log, show, show_log

if TYPE_CHECKING:
    from rfmeta_dist.cluster.jobs.spec import Job
    from rfmeta_dist.cluster.jobs.submission import Ended

EXAMPLES = """
[bold]Examples[/]

  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=…

  rfmeta example leave_one_out > job.yaml

  rfmeta submit job.yaml --dry-run

  rfmeta submit job.yaml --address http://127.0.0.1:8265

  rfmeta submit job.yaml --set spec.backoffLimit=2 --set metadata.name=seed-3 -- --set training.seed=3

  rfmeta submit job.yaml --detach

The words after -- are appended to the command of the job. The job's log is printed until the job ends (on
stderr with --json). The exit code is that of the job; 124 if it has passed its deadline,
spec.activeDeadlineSeconds, and was stopped; 6 if it was still pending then, because Ray cannot stop it.
Ctrl-C leaves the job running; on a terminal, it asks first.
"""
WORDS = "rfmeta.words"  # key under which the words after -- are handed over


class Splitting(TyperCommand):
    """A command that takes the words after -- apart, so that a second file is not mistaken for one of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the words after -- for the command, and let click parse those before."""
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[WORDS] = args[place + 1 :]
        return super().parse_args(ctx, args[:place])


def submit(
    context: typer.Context,
    job: Annotated[
        Path,
        typer.Argument(help="Job spec, a RayJob manifest; `rfmeta example` lists some.", show_default=False),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="FIELD=VALUE",
            help="Override a field of the job spec, such as spec.backoffLimit=2; may be repeated.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="URL of the cluster's Ray dashboard; RAY_API_SERVER_ADDRESS or http://127.0.0.1:8265 if not "
            "given."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check the job spec and show what would be submitted; ask no cluster."),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return as soon as the cluster has accepted the job.")
    ] = False,
    json: Json = False,
) -> None:
    """Run the job that a job spec describes on a Ray cluster, and follow its log.

    Words after -- are appended to the job's command.
    """
    from rfmeta_dist.cluster.jobs import checking, spec
    from rfmeta_dist.cluster.jobs.address import cluster_url

    found = checking.findings_in(job, overrides or ())
    if len(found) > 1 or (found and found[0].kind == "advice"):
        say(*map(str, found))
    checking.require_sound(found)
    read = spec.read(job, overrides or (), context.meta[WORDS])
    where = cluster_url(address)
    if read.ignored:
        are, them = ("is", "it") if len(read.ignored) == 1 else ("are", "them")
        say(f"{', '.join(read.ignored)} {are} for KubeRay; the cluster at {where} ignores {them}")
    if read.mapped_resources:
        say("spec.entrypointResources is a mapping; KubeRay would refuse it: it wants a text of JSON")
    if dry_run:
        _show_plan(read, where, job, json)
        if detach:
            _say_unkept(read)
    else:
        _submit(read, where, detach, json)


def _show_plan(job: Job, address: str, path: Path, json: bool) -> None:
    from rfmeta_dist.cluster.jobs import plan, upload

    try:
        packages = upload.packages(job.runtime_env)
    except ModuleNotFoundError:  # the base installation can check a job spec
        packages = None
    if json:
        print_json(plan.as_json(job, address, packages, path))
    else:
        show(*plan.as_lines(job, address, packages, path))


def _submit(job: Job, address: str, detach: bool, json: bool) -> None:
    from rfmeta_dist.cluster.jobs import submission, upload

    upload.packages(job.runtime_env)  # refuses a directory that is too large before the cluster is asked
    listener = submission.Listener(say_log if json else show_log, say, _stop_too)
    ended = submission.submit(job, address, listener, detach=detach)
    result: dict[str, Any] = {"job": ended.identifier, "exit_code": ended.code, "trace": ended.trace}
    if json:
        print_json(result)
    if ended.code is None:
        _say_detached(job, ended, address, json)
        raise typer.Exit
    if not json:
        say(f"job {ended.identifier} ended with exit code {ended.code}")
    raise typer.Exit(ended.code)


def _say_detached(job: Job, ended: Ended, address: str, json: bool) -> None:
    if not json:
        show(ended.identifier)
    for verb, option in (("logs", " --follow"), ("wait", ""), ("stop", "")):
        say(f"  rfmeta jobs {verb} {ended.identifier}{option} --address {address}")
    _say_unkept(job)


def _say_unkept(job: Job) -> None:
    """Say which limits of the job spec have no effect because of --detach."""
    limits = {"backoffLimit": job.spec.backoffLimit, "activeDeadlineSeconds": job.spec.activeDeadlineSeconds}
    set_ = [f"spec.{name} ({value})" for name, value in limits.items() if value]
    if set_:
        say(
            f"with --detach nothing follows the job, so {' and '.join(set_)} will not be kept: the job is not "
            "submitted again if it fails, and not stopped at its deadline"
        )


def _stop_too() -> bool:
    """Ask on a terminal, after Ctrl-C, whether the job is to be stopped as well. Enter leaves it running."""
    if not (sys.stdin.isatty() and interactive()):
        return False
    say("")  # the terminal has shown ^C in this line
    try:
        ask("Stop the job as well?")
    except typer.Abort:  # no, the second Ctrl-C, or the end of the input
        return False
    return True
