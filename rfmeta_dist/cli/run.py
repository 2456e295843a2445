"""`rfmeta train`, `evaluate` and `report`: one run, from its configuration to its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Address, ConfigFile, Json, Overrides, Slots, print_json, say, show_rich
from rfmeta_dist.cli.watch import training_display

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.storage.store import Store

TRAIN_EXAMPLES = """
[bold]Examples[/]

  rfmeta example oci_to_m > oci_to_m.yaml

  rfmeta train oci_to_m.yaml

  rfmeta train oci_to_m.yaml --set training.seed=1 --set run.name=oci_to_m-1

  rfmeta train oci_to_m.yaml --address auto     [dim]# on the cluster this machine belongs to[/]

An interrupted run goes on when the same command is given again.
"""
EVALUATE_EXAMPLES = """
[bold]Example[/]

  rfmeta evaluate runs/oci_to_m

Every evaluation reads the sealed target once and says so in the run's ledger.
"""
REPORT_EXAMPLES = """
[bold]Example[/]

  rfmeta report runs/oci_to_m
"""

RunFolder = Annotated[
    str, typer.Argument(help="The run's folder, local or s3://…, as train named it.", show_default=False)
]


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train on the source domains, one (meta-train, meta-test) pair a worker; the target stays sealed."""
    from rfmeta_dist.config.load import load

    chosen = load(config, overrides or ())  # before Ray's slow import

    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.cluster.train import prepare, train_run

    prepare(chosen)  # a mistake should show before Ray starts
    with session(slots_for(chosen, slots), address) as local, training_display(json) as show:
        folder = train_run(chosen, show, local=local)
    if json:
        print_json({"run": folder.url, "protocol": chosen.data.protocol, "steps": chosen.training.steps})
    else:
        say(f"model of {chosen.data.protocol} at {folder.url}/model; now: rfmeta evaluate {folder.url}")


def evaluate(run: RunFolder, slots: Slots = None, address: Address = None, json: Json = False) -> None:
    """Judge a finished run on its sealed target: HTER, AUC, EER, per frame and per video."""
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.training.folder import read_config, require_model

    folder = open_store(run)
    config = read_config(folder)
    require_model(folder)

    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.cluster.train import evaluate_run

    with session(slots_for(config, slots), address):
        result = evaluate_run(config, folder)
    if json:
        print_json(result)
        return
    print_table([result])
    say(f"page: rfmeta report {folder.url}")


def report(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes; the run's folder if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a run's page: figures, ROC, histograms, examples, training curve, configuration and ledger."""
    from rfmeta_dist.storage.store import open_store

    where = write_report(open_store(run), out)
    if json:
        print_json({"report": where})
    else:
        say(f"report at {where}")


def write_report(folder: Store, out: Path | None = None) -> str:
    """Write the page of a run folder; returns where it is."""
    from rfmeta_dist.report import page, records
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.training.folder import read_config

    read_config(folder)  # is it a run at all?
    html = page.render(records.load(folder.read)).encode()
    target, name = (folder, "report.html") if out is None else (open_store(str(out.parent)), out.name)
    target.write(name, html)
    return f"{target.url}/{name}"


def print_table(results: list[dict[str, Any]]) -> None:
    """The figures as a table on stdout."""
    from rfmeta_dist.report import table

    show_rich(table.rich_table(table.rows(results)))


def slots_for(config: Config, slots: int | None) -> int:
    """Logical CPUs of a local cluster: what the user said, or enough for the run's workers."""
    import os

    return slots or max(config.training.workers, os.cpu_count() or 1)
