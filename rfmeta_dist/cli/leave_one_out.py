"""`rfmeta leave-one-out`: train and judge a run for each held-out domain, and print one table of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli import cells, paper_tables
from rfmeta_dist.cli.asked import Chosen, of_config, of_study
from rfmeta_dist.cli.lists import names, numbers
from rfmeta_dist.cli.live import live_table
from rfmeta_dist.cli.outcomes import (
    as_dict,
    means_of,
    print_means,
    print_results,
    raise_first,
    refusals,
    refused_cell,
    results,
    write_page,
)
from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import (
    Address,
    Json,
    Notices,
    Overrides,
    Slots,
    print_json,
    say,
    show_table,
)
from rfmeta_dist.core.errors import ConfigError, RfmetaError

if TYPE_CHECKING:
    from rfmeta_dist.cluster.leave_one_out import Outcome
    from rfmeta_dist.config.held_out import Asked
    from rfmeta_dist.config.schema import Config

EXAMPLES = """
[bold]Examples[/]

  rfmeta leave-one-out oci_to_m.yaml --slots 8

  rfmeta leave-one-out oci_to_m.yaml --methods rfmeta,no_meta --dry-run     [dim]# the plan alone[/]

  rfmeta leave-one-out oci_to_m.yaml --methods rfmeta,no_meta --seeds 0,1,2 --address auto

  rfmeta leave-one-out oci_to_m.yaml --methods all --seeds 0,1,2     [dim]# the paper's tables[/]

  rfmeta leave-one-out oci_to_m.yaml --methods all --seeds 0,1,2 --report    [dim]# without training[/]

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
        str | None,
        typer.Option(
            help="Methods to compare, separated by commas, or all; method.name if not given. Several methods "
            "are also arranged as the tables of the RFMeta paper."
        ),
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
    report: Annotated[
        bool,
        typer.Option(
            "--report", help="With several methods: train and judge nothing, make the tables of finished runs."
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
    if report:
        _report(asked, json)
        return
    count = slots_for(max(asked.runs, key=lambda run: run.training.workers), slots)
    if dry_run:
        _print_plan(cells.planned(asked.runs, count, address, asked.labels), asked, json)
        return

    lost = _pin(asked)
    plan = cells.planned([run for run in asked.runs if run.run.name not in lost], count, address, asked.labels)
    plan = replace(plan, kept=bool(asked.tables))
    say(plan.sentence())
    notices = Notices()
    kept = plan.evaluations() if plan.kept else {}
    left = replace(plan, runs=[run for run in plan.runs if run.run.name not in kept])
    trained = _train(left, count, address, notices, quiet=json) if left.runs else []
    outcomes = _joined(asked.runs, trained, kept, lost)
    failed = {o.config.run.name: o.error for o in outcomes if o.error is not None}
    failed |= {f"{r.method}, target {r.target}, seed {r.seed}": r.error for r in asked.refused}
    judged, missing = results(asked, outcomes)
    means = means_of(asked, judged, missing)
    asked = replace(asked, notes=[*asked.notes, *(found.sentence() for found in means)])
    page = write_page(asked, judged, missing) if judged else None
    found = paper_tables.read(asked, {n: e.problem for n, e in failed.items()}) if asked.tables else {}
    tables = paper_tables.write(asked, found) if found else None
    if json:
        folds = {"protocol": [found.as_dict() for found in means]} if means else {}
        said = {"tables": paper_tables.as_dict(found, tables)} if tables else {}
        print_json(as_dict(outcomes, asked) | folds | said | {"page": page, "notices": notices})
    else:
        print_results(outcomes, judged, missing)
        print_means(means)
        if judged:
            say(*asked.notes)
        if tables:
            paper_tables.print_tables(found)
        if page:
            say(f"wrote the page {page}")
        for place in tables or ():
            say(f"wrote {place}")
    raise_first(failed)


def _report(asked: Asked, json: bool) -> None:
    """Make the tables of the runs that are finished."""
    if not asked.tables:
        raise ConfigError(
            "--report makes the tables of several methods, and one method is given",
            "add --methods all, or a list of methods",
        )
    found = paper_tables.report(asked)
    places = paper_tables.write(asked, found)
    if json:
        print_json({"tables": paper_tables.as_dict(found, places)})
        return
    paper_tables.print_tables(found)
    for place in places:
        say(f"wrote {place}")


def _pin(asked: Asked) -> dict[str, RfmetaError]:
    """Check and pin the data of the runs. Return the error of each run that cannot start, by its name.

    A mistake in the data is reported before Ray is imported, which takes seconds.

    Raises:
        RfmetaError: no run can start, or a run of the only method cannot.
    """
    from rfmeta_dist.cluster.prepare import pin_together

    lost: dict[str, RfmetaError] = {}
    for note in pin_together(asked.runs, lost if asked.tables else None):
        say(note)
    if len(lost) == len(asked.runs):
        raise next(iter(lost.values()))
    return lost


def _joined(
    runs: Sequence[Config],
    trained: Sequence[Outcome],
    kept: Mapping[str, dict[str, Any]],
    lost: Mapping[str, RfmetaError],
) -> list[Outcome]:
    """Return the outcome of each run, in the order of `runs`.

    Args:
        runs: all runs.
        trained: the outcomes of those that were trained or judged.
        kept: the evaluations of those that were finished before, by name.
        lost: the errors of those that could not start, by name.
    """
    from rfmeta_dist.cluster.leave_one_out import Outcome

    found = {outcome.config.run.name: outcome for outcome in trained}
    return [
        found.get(name) or Outcome(run, evaluation=kept.get(name, {}), error=lost.get(name))
        for name, run in ((run.run.name, run) for run in runs)
    ]


def _print_plan(plan: cells.Plan, asked: Asked, json: bool) -> None:
    if json:
        print_json(
            plan.as_dict() | ({"refused": [refused_cell(r) for r in asked.refused]} if asked.refused else {})
        )
        return
    show_table([*plan.columns[:2], "seeds", "finished"], plan.rows())
    say(plan.sentence(), *asked.notes)
    say(*refusals(asked.refused))


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
