"""`rfmeta train`, `rfmeta evaluate` and `rfmeta report`: train a run, judge its model, and write its page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.places import place_of
from rfmeta_dist.cli.terminal import (
    Address,
    ConfigFile,
    Json,
    Notices,
    OperatingPoint,
    Overrides,
    Slots,
    plain_table,
    print_json,
    say,
    show_rich,
)
from rfmeta_dist.cli.watch import training_display

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.report.records import RunRecord
    from rfmeta_dist.storage.store import Store

TRAIN_EXAMPLES = """
[bold]Examples[/]

  rfmeta example oci_to_m > oci_to_m.yaml

  rfmeta train oci_to_m.yaml

  rfmeta train oci_to_m.yaml --set training.seed=1 --set run.name=oci_to_m-1

  rfmeta train oci_to_m.yaml --set method.name=no_meta --set run.name=oci_to_m-no_meta

  rfmeta train oci_to_m.yaml --address auto     [dim]# on the cluster this machine belongs to[/]

If training is interrupted, give the same command again: the run continues from its newest checkpoint, on the
data that it started with. To change the target of a run that was started already, give the same command with
--set data.target=…; nothing is trained again, because training does not depend on the target. A configuration
without data.target trains on all its sources, and its model is judged on nothing.
"""
EVALUATE_EXAMPLES = """
[bold]Example[/]

  rfmeta evaluate runs/oci_to_m

  rfmeta evaluate runs/oci_to_m --operating-point bpcer@apcer5   [dim]# the table at another threshold[/]

Every evaluation reads the target once and adds a line to the run's ledger. To judge a run on another target,
or a run that has none, set it first with rfmeta train CONFIG --set data.target=M, which trains nothing again.
"""
REPORT_EXAMPLES = """
[bold]Example[/]

  rfmeta report runs/oci_to_m

  rfmeta report runs/oci_to_m --operating-point apcer@bpcer1
"""

JudgeAddress = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster to judge on, such as auto or ray://host:10001; if not given, this process judges, "
        "without Ray."
    ),
]
RunFolder = Annotated[
    str, typer.Argument(help="The run's folder, local or s3://…, as printed by train.", show_default=False)
]


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Train a detector on the source domains. The labels of the target domain are not read."""
    from rfmeta_dist.config.load import load_config
    from rfmeta_dist.config.unused import unused_notes

    chosen = load_config(config, overrides or ())  # before Ray is imported, which takes seconds

    from rfmeta_dist.cluster.prepare import look, prepare
    from rfmeta_dist.runs.folder import MODEL
    from rfmeta_dist.storage.lease import held, refuse_if_held
    from rfmeta_dist.storage.requirements import require_put_if_absent

    # Mistakes in the data and a folder that cannot be written are reported before Ray starts.
    found = look(chosen)
    folder = found.folder
    require_put_if_absent(folder)
    refuse_if_held(folder)
    say(*unused_notes(chosen), *found.notes)
    notices = Notices()
    if folder.exists(MODEL):
        with held(folder, "trained"):
            prepare(chosen)  # changes at most the target in the run's folder, which needs neither Ray nor torch
        say(f"run {folder.url} is trained already; there is nothing to train")
    else:
        from rfmeta_dist.cluster.object_store import in_flight
        from rfmeta_dist.cluster.session import session

        networks = chosen.method.facts.kind == "gradient"
        batches = in_flight(chosen) if networks else 0
        ready = session(slots_for(chosen, slots), address, torch=networks, batches=batches, say=say)
        with ready as local, training_display(json) as show:
            from rfmeta_dist.cluster.train import train_run

            train_run(chosen, show, on_notice=notices.tell, local=local)
    steps, protocol = chosen.training.steps, chosen.data.protocol
    ended = {"run": folder.url, "protocol": protocol, "steps": steps, "notices": notices}
    if chosen.data.target is None:
        _end_without_target(ended, folder, json)
    elif json:
        print_json(ended)
    else:
        say(f"the model of {protocol} is at {folder.url}/model; next, judge it: rfmeta evaluate {folder.url}")


def _end_without_target(ended: dict[str, Any], folder: Store, json: bool) -> None:
    """Say where the model is, that it was judged on nothing, and how it does on its validation splits."""
    from rfmeta_dist.detectors import package
    from rfmeta_dist.evaluation import figures
    from rfmeta_dist.evaluation.validation import read_validation

    found = figures.of_sources(read_validation(folder, package.read(folder.sub("model"))))
    if json:
        print_json({**ended, "validation": found})
        return
    video = found["video"]
    each = ", ".join(f"{name} {100 * of['HTER']:.1f} %" for name, of in video["domains"].items())
    say(
        f"the model of {ended['protocol']} is at {folder.url}/model; it is judged on no target, because the "
        "run has none (data.target)",
        f"on its sources' validation splits, per video: HTER {each}; AUC {100 * video['AUC']:.1f} %. These "
        "figures flatter: the model was trained on these domains, and its threshold was set on these scores",
        f"next, write the report: rfmeta report {folder.url}",
    )


def evaluate(
    run: RunFolder,
    operating_point: OperatingPoint = "eer",
    address: JudgeAddress = None,
    json: Json = False,
) -> None:
    """Judge a trained run on its target domain, and print HTER, AUC and EER, or the rates at another threshold.

    The run's evaluation.json has the figures of every operating point, whichever is printed.
    """
    from rfmeta_dist.data.reading.domains import news_of, target_of
    from rfmeta_dist.evaluation.operating import DEFAULT, require
    from rfmeta_dist.runs import pins
    from rfmeta_dist.runs.folder import read_config, require_model
    from rfmeta_dist.storage.store import open_store

    require(operating_point)
    folder = open_store(run)
    config = read_config(folder)
    require_model(folder)
    target_of(config)  # raises an error if the run has none
    for note in news_of(config, pins.read(folder)):
        say(note)

    if address or os.environ.get("RAY_ADDRESS"):
        from rfmeta_dist.cluster.session import session
        from rfmeta_dist.cluster.train import evaluate_run

        with session(address=address):
            result = evaluate_run(config, folder)
    else:
        from rfmeta_dist.cluster.judging import evaluate_here

        result = evaluate_here(config, folder)
    _track(config, folder)
    if json:
        print_json(result)
        return
    if operating_point == DEFAULT:
        print_table([result])
    else:
        _print_at(result["figures"], operating_point, folder.url)
    if "checkpoints" in result:
        from rfmeta_dist.report.candidates import sentences

        for sentence in sentences(result["checkpoints"]):
            say(sentence)
    say(f"next, write the report: rfmeta report {folder.url}")


def report(
    run: RunFolder,
    operating_point: OperatingPoint = "eer",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write the page to; report.html in the run's folder if not given."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a run's report, one HTML page: figures, curves, examples, configuration and the ledger of reads.

    The page of a run without a target shows figures of its sources' validation splits instead.
    """
    from rfmeta_dist.runs.folder import read_config
    from rfmeta_dist.storage.store import open_store

    folder = open_store(run)
    where = write_report(folder, out, operating_point)
    _track(read_config(folder), folder)
    if json:
        print_json({"report": where})
    else:
        say(f"wrote the report {where}")


def _track(config: Config, folder: Store) -> None:
    """Show what is known of a run where its section `tracking` asks for it."""
    if config.tracking.wanted:
        from rfmeta_dist.tracking.follow import show_again

        show_again(config, folder, say)


def write_report(folder: Store, out: Path | None = None, operating_point: str = "eer") -> str:
    """Write the report of a run and return the URL or path of the page.

    Args:
        folder: the run's folder.
        out: file to write; `report.html` in the run's folder if None.
        operating_point: the operating point whose figures come first on the page.

    Raises:
        ConfigError: there is no operating point of this name.
        RunError: there is no run, one of its files is missing or damaged, or it has a target and was last
            judged on another one.
    """
    from rfmeta_dist.evaluation.operating import require
    from rfmeta_dist.report import page, records
    from rfmeta_dist.report.explanation import PAGE as EXPLANATION
    from rfmeta_dist.runs.folder import read_config

    require(operating_point)
    config = read_config(folder)
    if config.data.target is None:
        html = page.render_trained(records.read_trained(folder), operating_point)
    else:
        explained = out is None and folder.exists(EXPLANATION)  # beside another file, a link would lead nowhere
        html = page.render(_judged(folder, config), operating_point, folder.url, explained=explained)
    target, name = (
        (folder, "report.html") if out is None else place_of(out, "a file for the page, such as report.html")
    )
    target.write(name, html.encode())
    return f"{target.url}/{name}"


def _judged(folder: Store, config: Config) -> RunRecord:
    """Return the record of a run that was judged on the target in its configuration."""
    from rfmeta_dist.report import records

    record = records.read_record(folder.read, folder.url)
    records.require_target(record.evaluation, config, folder.url)
    return record


def print_table(results: list[dict[str, Any]]) -> None:
    """Print the figures of some evaluations as a table on stdout."""
    from rfmeta_dist.report import table

    show_rich(table.rich_table(table.rows(results)))


def _print_at(figures: dict[str, Any], operating_point: str, run: str) -> None:
    """Print what the target got at one operating point as a table on stdout, and say if it is not resolved."""
    from rfmeta_dist.evaluation.operating import MEANINGS
    from rfmeta_dist.report import needs

    points = needs.at(figures, operating_point, run)
    say(f"{operating_point}, on the sources: {MEANINGS[operating_point]}")
    show_rich(plain_table(needs.COLUMNS, needs.cells(points), padding=(0, 1, 0, 0)))
    if points["video"]["unresolved"]:
        say(f"the sources have too few recordings for this point: {points['video']['unresolved']}")


def slots_for(config: Config, slots: int | None) -> int:
    """Return the number of CPUs of a local Ray cluster: `slots`, or all cores, at least one for each worker."""
    return slots or max(config.training.workers, os.cpu_count() or 1)
