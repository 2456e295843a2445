"""`rfmeta loo`: the leave-one-domain-out protocol, one table at the end."""

from __future__ import annotations

from typing import Annotated

import typer

from rfmeta_dist.cli.run import print_table
from rfmeta_dist.cli.terminal import Address, ConfigFile, Json, Overrides, Slots, print_json, say
from rfmeta_dist.cli.watch import training_display
from rfmeta_dist.core.errors import ConfigError

EXAMPLES = """
[bold]Examples[/]

  rfmeta loo oci_to_m.yaml --slots 8

  rfmeta loo oci_to_m.yaml --methods rfmeta,no_meta --seeds 0,1,2 --address auto

Finished targets are kept: an interrupted command goes on when it is given again.
"""


def loo(
    config: ConfigFile,
    overrides: Overrides = None,
    methods: Annotated[str | None, typer.Option(help="Methods to compare, separated by commas.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds to run, separated by commas.")] = None,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Make every domain of a configuration the target in turn, in parallel where the slots allow."""
    from rfmeta_dist.config.load import load

    chosen = load(config, overrides or ())  # before Ray's slow import
    numbered = numbers("seeds", seeds)

    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.cluster.train import open_sources
    from rfmeta_dist.cluster.tune import leave_one_out, summary_name, targets_of, timeline
    from rfmeta_dist.report import table
    from rfmeta_dist.storage.store import open_store

    runs = targets_of(chosen, _names(methods), numbered)
    for run in {run.data.sources: run for run in runs}.values():
        open_sources(run)  # a mistake should show before Ray starts
    with session(slots, address) as local, training_display(json) as show:
        outcomes = leave_one_out(runs, show, local=local)
    results = [outcome.evaluation for outcome in outcomes]
    folder = open_store(chosen.run.folder)
    page = summary_name(chosen)
    folder.write(page, table.loo_page(table.rows(results)).encode())
    if json:
        times = {o.config.run.name: {"started": o.started, "ended": o.ended} for o in outcomes}
        print_json({"evaluations": results, "times": times, "page": f"{folder.url}/{page}"})
        return
    for line in timeline(outcomes):
        say(line)
    print_table(results)
    say(f"page at {folder.url}/{page}")


def _names(given: str | None) -> list[str]:
    return [name.strip() for name in given.split(",")] if given else []


def numbers(option: str, given: str | None, least: int = 0) -> list[int]:
    """The integers of a comma-separated option.

    Raises:
        ConfigError: one is not an integer, or less than `least`.
    """
    try:
        found = [int(number) for number in _names(given)]
    except ValueError:
        found = [least - 1]
    if any(number < least for number in found):
        problem = f"--{option} {given!r} is not a list of numbers from {least} up"
        raise ConfigError(problem, f"write --{option} {least},{least + 1}")
    return found
