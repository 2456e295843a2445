"""`rfmeta leave-one-out`: train and judge a run for each held-out domain, and print one table of results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli import cells
from rfmeta_dist.cli.asked import Chosen, of_config, of_study
from rfmeta_dist.cli.lists import names, numbers
from rfmeta_dist.cli.live import DONE, FAILED, live_table
from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import (
    Address,
    Json,
    Notices,
    Overrides,
    Slots,
    print_json,
    say,
    show_rich,
    show_table,
)
from rfmeta_dist.core.errors import RfmetaError

if TYPE_CHECKING:
    from rfmeta_dist.cluster.leave_one_out import Outcome
    from rfmeta_dist.config.held_out import Asked
    from rfmeta_dist.report.folds import Means
    from rfmeta_dist.report.leave_one_out import Judged
    from rfmeta_dist.report.table import Missing

EXAMPLES = """
[bold]Examples[/]

  rfmeta leave-one-out oci_to_m.yaml --slots 8

  rfmeta leave-one-out oci_to_m.yaml --methods rfmeta,no_meta --dry-run     [dim]# the plan alone[/]

  rfmeta leave-one-out oci_to_m.yaml --methods rfmeta,no_meta --seeds 0,1,2 --address auto

  rfmeta leave-one-out oci_to_m.yaml --targets M --methods rfmeta,no_meta     [dim]# one target alone[/]

  rfmeta leave-one-out oci_to_m.yaml --set evaluation.protocol=limited-source --sources M,I

  rfmeta leave-one-out oulu.yaml --set data.within=O/3     [dim]# all folds of an official protocol[/]

  rfmeta leave-one-out --tuned runs/my-study --with-base --seeds 5,6,7     [dim]# a study's choices[/]

If the command is interrupted, give it again: it continues, and finished runs are kept. A run that fails does
not stop the others, and table and page say which is missing; the command then ends with the exit code of the
first run that failed. The command `rfmeta loo` is a short name for this one.
"""


def leave_one_out(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="Configuration file; `rfmeta example` lists some. Not given with --tuned.", show_default=False
        ),
    ] = None,
    overrides: Overrides = None,
    targets: Annotated[
        str | None,
        typer.Option(help="Domains to hold out, separated by commas; each domain in turn if not given."),
    ] = None,
    sources: Annotated[
        str | None,
        typer.Option(
            help="With evaluation.protocol limited-source: the two sources of all runs; every two if not given."
        ),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Methods to compare, separated by commas; method.name if not given.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to run, separated by commas; training.seed if not given.")
    ] = None,
    tuned: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a study: train for each target the configuration that `rfmeta tune` chose for it.",
        ),
    ] = None,
    with_base: Annotated[
        bool,
        typer.Option(
            "--with-base", help="With --tuned, also train the study's base configuration, to compare with."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the runs, how many train at once and which are finished, and do nothing."
        ),
    ] = False,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train and judge one run for each held-out target domain, as many at a time as the CPUs or GPUs allow.

    The configuration may name another protocol: runs with two sources each (evaluation.protocol), or the folds
    of an official protocol within one domain (data.within).
    """
    chosen = Chosen(names(targets), names(sources), names(methods), numbers("seeds", seeds))
    if tuned is None:
        asked = of_config(config, chosen, overrides or (), with_base=with_base)
    else:
        asked = of_study(tuned, config, chosen, overrides or (), with_base=with_base)
    runs = asked.runs
    count = slots_for(runs[0], slots)
    if dry_run:
        _print_plan(cells.planned(runs, count, address, asked.labels), json)
        return

    from rfmeta_dist.cluster.prepare import pin_together

    for note in pin_together(runs):  # reports a mistake in the data before Ray is imported, which takes seconds
        say(note)
    plan = cells.planned(runs, count, address, asked.labels)
    say(plan.sentence())
    notices = Notices()
    outcomes = _train(plan, count, address, notices, quiet=json)
    failed = {o.config.run.name: o.error for o in outcomes if o.error is not None}
    judged, missing = _results(asked, outcomes)
    means = _means(asked, judged, missing)
    asked = replace(asked, notes=[*asked.notes, *(found.sentence() for found in means)])
    page = _write_page(asked, judged, missing) if judged else None
    if json:
        folds = {"protocol": [found.as_dict() for found in means]} if means else {}
        print_json(as_dict(outcomes, asked) | folds | {"page": page, "notices": notices})
    else:
        _print_results(outcomes, judged, missing)
        _print_means(means)
        if judged:
            say(*asked.notes)
        if page:
            say(f"wrote the page {page}")
    _raise_first(failed)


def _print_plan(plan: cells.Plan, json: bool) -> None:
    if json:
        print_json(plan.as_dict())
        return
    show_table([*plan.columns[:2], "seeds", "finished"], plan.rows())
    say(plan.sentence())


def _train(
    plan: cells.Plan, slots: int, address: str | None, notices: Notices, *, quiet: bool
) -> list[Outcome]:
    """Train and judge the runs of a plan, and show how far they are."""
    from rfmeta_dist.cluster.leave_one_out import leave_one_out as run
    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.session import session

    runs = {run.run.name: run for run in plan.runs}
    shown = live_table(
        plan.columns,
        {name: plan.names(run) for name, run in runs.items()},
        quiet,
        found=plan.news(),
        look=lambda name: cells.change(runs[name], plan.found.get(name, cells.Found())),
    )
    batches = (plan.at_once or 0) * max(map(in_flight, plan.runs))  # of no use on a cluster that runs already
    with session(slots, address, batches=batches, say=say) as local, shown as show:
        return run(plan.runs, show, on_notice=notices.tell, local=local)


def _results(asked: Asked, outcomes: Sequence[Outcome]) -> tuple[list[Judged], list[Missing]]:
    """Return the runs that were judged, with the scores of their targets, and the runs that failed.

    A run with several labels is returned once for each.
    """
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.report.leave_one_out import Judged, of_target
    from rfmeta_dist.report.table import Missing
    from rfmeta_dist.runs.folder import open_folder

    judged, missing = [], []
    for outcome in outcomes:
        run, labels = outcome.config, asked.labels_of(outcome.config)
        if outcome.error is not None:
            target, sources = str(run.data.target), list(run.data.sources)
            reason = outcome.error.problem
            missing += [Missing(target, sources, label, run.training.seed, reason) for label in labels]
            continue
        videos = None
        try:
            scores = Scores.from_parquet(open_folder(run).read("scores.parquet"))
            videos = of_target(scores, outcome.evaluation["target"])
        except RfmetaError as error:  # the figures are known, so the table and the other curves are shown
            say(f"the page lacks the ROC curve of run {run.run.name}: {error}")
        judged += [Judged({**outcome.evaluation, "method": label}, videos) for label in labels]
    return judged, missing


def _write_page(asked: Asked, judged: Sequence[Judged], missing: Sequence[Missing]) -> str:
    """Write the summary page beside the runs' folders and return its URL or path."""
    from rfmeta_dist.report import leave_one_out as report
    from rfmeta_dist.storage.store import open_store

    folder = open_store(asked.runs[0].run.folder)
    folder.write(asked.page, report.page(judged, missing, asked.notes).encode())
    return f"{folder.url}/{asked.page}"


def as_dict(outcomes: Sequence[Outcome], asked: Asked | None = None) -> dict[str, Any]:
    """Return the runs of a leave-one-out as values that JSON can represent.

    Args:
        outcomes: what became of each run.
        asked: what was asked for. If its runs have labels, each cell has them as `configuration`.
    """
    done, labels = [o for o in outcomes if o.error is None], asked.labels if asked else {}
    return {
        "evaluations": [o.evaluation for o in done],
        "times": {o.config.run.name: {"started": o.started, "ended": o.ended} for o in done},
        "failed": {o.config.run.name: str(o.error) for o in outcomes if o.error is not None},
        "cells": [_cell(outcome) | cells.labelled(outcome.config, labels) for outcome in outcomes],
        **(asked.about if asked else {}),
    }


def _cell(outcome: Outcome) -> dict[str, Any]:
    run, seconds = outcome.config, outcome.ended - outcome.started
    video = outcome.evaluation["figures"]["video"] if outcome.error is None else {}
    return {
        "run": run.run.name,
        "target": run.data.target,
        "method": run.method.name,
        "seed": run.training.seed,
        "state": DONE if outcome.error is None else FAILED,
        "reason": None if outcome.error is None else str(outcome.error),
        "seconds": None if math.isnan(seconds) else seconds,
        "hter": video["HTER"]["value"] if video else None,
        "auc": video["AUC"]["value"] if video else None,
    }


def _print_results(outcomes: Sequence[Outcome], judged: Sequence[Judged], missing: Sequence[Missing]) -> None:
    from rfmeta_dist.cluster.leave_one_out import timeline
    from rfmeta_dist.report import table

    for line in timeline(outcomes):
        say(line)
    if judged:
        rows = table.rows([run.evaluation for run in judged], missing=missing)
        show_rich(table.rich_table(rows))


def _means(asked: Asked, judged: Sequence[Judged], missing: Sequence[Missing]) -> list[Means]:
    """Return for each method its error rates over the folds of an official protocol; [] without one."""
    from rfmeta_dist.report.folds import means

    return means(asked.protocol, [run.evaluation for run in judged], missing) if asked.protocol else []


def _print_means(means: Sequence[Means]) -> None:
    from rfmeta_dist.report.folds import COLUMNS

    if means:
        show_table(COLUMNS, [found.row() for found in means])


def _raise_first(failed: Mapping[str, RfmetaError]) -> None:
    """Print each run that failed, and raise the error of the first one, which sets the exit code."""
    for name, error in failed.items():
        say(f"failed: {name}: {error}")
    if failed:
        raise next(iter(failed.values()))
