"""`rfmeta leave-one-out`: train and judge a run for each held-out domain, and print one table of results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from rfmeta_dist.cli.lists import names, numbers
from rfmeta_dist.cli.run import print_table, slots_for
from rfmeta_dist.cli.terminal import Address, ConfigFile, Json, Notices, Overrides, Slots, print_json, say
from rfmeta_dist.cli.watch import training_display
from rfmeta_dist.core.errors import RfmetaError

EXAMPLES = """
[bold]Examples[/]

  rfmeta leave-one-out oci_to_m.yaml --slots 8

  rfmeta leave-one-out oci_to_m.yaml --methods rfmeta,no_meta --seeds 0,1,2 --address auto

  rfmeta leave-one-out oci_to_m.yaml --targets M --methods rfmeta,no_meta     [dim]# one target alone[/]

If the command is interrupted, give it again: it continues, and finished runs are kept. A run that fails does
not stop the others; the command then ends with the exit code of the first run that failed. The command
`rfmeta loo` is a short name for this one.
"""


def leave_one_out(
    config: ConfigFile,
    overrides: Overrides = None,
    targets: Annotated[
        str | None,
        typer.Option(help="Domains to hold out, separated by commas; each domain in turn if not given."),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Methods to compare, separated by commas; method.name if not given.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds to run, separated by commas; training.seed if not given.")
    ] = None,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train and judge one run for each held-out target domain, as many at a time as the CPUs or GPUs allow."""
    from rfmeta_dist.config.load import load_config

    chosen = load_config(config, overrides or ())  # before Ray is imported, which takes seconds
    numbered = numbers("seeds", seeds)

    from rfmeta_dist.cluster import tune
    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.prepare import pin_together
    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.cluster.tune import summary_name, targets_of, timeline
    from rfmeta_dist.report import table
    from rfmeta_dist.storage.store import open_store

    runs = targets_of(chosen, names(methods), numbered, names(targets))
    for note in pin_together(runs):  # reports a mistake in the data before Ray starts
        say(note)
    notices = Notices()
    count = slots_for(chosen, slots)
    together = min(len(runs), max(1, count // chosen.training.workers))
    batches = together * max(map(in_flight, runs))
    with session(count, address, batches=batches, say=say) as local, training_display(json) as show:
        outcomes = tune.leave_one_out(runs, show, on_notice=notices.tell, local=local)
    failed = {o.config.run.name: o.error for o in outcomes if o.error is not None}
    results = [outcome.evaluation for outcome in outcomes if outcome.error is None]
    folder = open_store(chosen.run.folder)
    page = f"{folder.url}/{summary_name(chosen)}" if results else None
    if results:
        folder.write(summary_name(chosen), table.loo_page(table.rows(results)).encode())
    if json:
        times = {
            o.config.run.name: {"started": o.started, "ended": o.ended} for o in outcomes if o.error is None
        }
        errors = {name: str(error) for name, error in failed.items()}
        print_json({"evaluations": results, "times": times, "failed": errors, "page": page, "notices": notices})
    else:
        for line in timeline(outcomes):
            say(line)
        if results:
            print_table(results)
            say(f"wrote the page {page}")
    _raise_first(failed)


def _raise_first(failed: Mapping[str, RfmetaError]) -> None:
    """Print each run that failed, and raise the error of the first one, which sets the exit code."""
    for name, error in failed.items():
        say(f"failed: {name}: {error}")
    if failed:
        raise next(iter(failed.values()))
