"""`rfmeta judge`: compute the figures of scores that any model gave, and write their page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli import score_tables
from rfmeta_dist.cli.places import place_of
from rfmeta_dist.cli.score_tables import Columns, HigherIs, LiveLabels
from rfmeta_dist.cli.terminal import Json, Notices, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import LIVE, UNITS

if TYPE_CHECKING:
    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.given import Given
    from rfmeta_dist.evaluation.given_figures import Fixed
    from rfmeta_dist.evaluation.tables import Table
    from rfmeta_dist.storage.store import Store

EXAMPLES = """
[bold]Examples[/]

  rfmeta judge scores.csv

  rfmeta judge scores.csv --column subject=person_id --live genuine --higher-is attack --out page.html

  rfmeta judge scores-eval --validation scores-dev     [dim]# bob's four columns[/]

  rfmeta judge runs/oci_to_m/scores.parquet --target M

  rfmeta judge scores.csv --threshold 0.5 --json

  rfmeta judge scores.csv --package models/shop     [dim]# at the threshold that is stored in this model[/]

The table has a row for each frame or video, with the columns video, label (live or attack) and score, and if
known subject, attack_type, split (validation or test), domain and frame. The threshold is chosen on the
validation rows. Without them and without --threshold or --package, all error rates are oracle figures.
"""


def judge(
    scores: Annotated[
        str,
        typer.Argument(
            metavar="SCORES", help="CSV, TSV, Parquet or bob's columns; a path or s3://…", show_default=False
        ),
    ],
    validation: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File with the validation rows, if they are not in the same table."),
    ] = None,
    column: Columns = None,
    live: LiveLabels = None,
    higher_is: HigherIs = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN",
            help="Judge all rows of this domain; the threshold is chosen on the validation rows of the others.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Threshold to judge at, instead of one from validation rows."),
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Judge at the thresholds stored in this model, which gave the scores: its folder, a run's, or "
            "that of a deployment package.",
        ),
    ] = None,
    operating_point: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How the threshold is chosen, or which one of --package: eer if not given, or min-hter, "
            "bpcer@apcer10, bpcer@apcer5, bpcer@apcer1, apcer@bpcer5, apcer@bpcer1, tpr@fpr1.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals' bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with figures and plots to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Judge the scores that any model gave to frames or videos: HTER, AUC, APCER by type, with intervals."""
    from rfmeta_dist.evaluation import given, given_figures

    reading = score_tables.reading(column, live, higher_is, target)
    _require_one(threshold, package)
    place = None if out is None else place_of(out, "a file for the page, such as page.html")
    table = score_tables.read(scores, reading)
    apart = None if validation is None else score_tables.read(validation, reading)
    found = given.understand(table, apart, reading)
    notices = Notices()
    if package is None:
        fixed = _at(threshold)
    else:
        fixed, operating_point = _of_package(package, operating_point, table, found, notices), None
    figures = given_figures.compute(found, operating_point, fixed, seed)
    result = {
        "table": table.name,
        "target": target,
        "higher_is": "attack" if found.turned else "live",
        "polarity": _polarity(higher_is),
        "notes": [*notices, *_notes(found, figures, "--package" if package else "--threshold")],
        "figures": figures,
    }
    if place is not None:
        result["page"] = _write_page(found, result, *place)
    if json:
        print_json(result)
    else:
        _print(result)


def _require_one(threshold: float | None, package: str | None) -> None:
    if threshold is not None and package is not None:
        raise ConfigError(
            f"the threshold {threshold} and the model {package} are given, but only one threshold can hold",
            "give --threshold or --package",
        )
    if threshold is not None and not math.isfinite(threshold):
        raise ConfigError(f"the threshold {threshold} is not a finite number", "give a number, such as 0.5")


def _at(threshold: float | None) -> dict[Unit, Fixed] | None:
    from rfmeta_dist.evaluation.given_figures import Fixed

    if threshold is None:
        return None
    return dict.fromkeys(UNITS, Fixed(threshold, "given with --threshold"))


def _of_package(
    model: str, point: str | None, table: Table, found: Given, notices: Notices
) -> dict[Unit, Fixed]:
    """Return the thresholds that are stored in the model that gave the scores."""
    from rfmeta_dist.deploy.package import Deployment
    from rfmeta_dist.evaluation import own_data

    contents = score_tables.thresholds_of(model)
    if not own_data.require_scorer(table, contents):
        notices.append(
            "The table does not say which model gave its scores. The figures are wrong if it was another than "
            f"{contents.url}."
        )
    own_data.of_model(found, contents)
    fixed = own_data.stored(contents, point, found.units, turned=found.turned)
    if isinstance(contents, Deployment) and "frame" not in fixed:
        frame = own_data.stored(contents, point, UNITS, turned=found.turned)["frame"].value
        if frame != fixed["video"].value:
            notices.append(
                "Each recording has one row, so it is judged at the threshold for videos. `rfmeta score` "
                f"decides about pictures at the threshold for frames: for these, give --threshold {frame!r} "
                "in place of --package."
            )
    return fixed


def _polarity(higher_is: str | None) -> str:
    if higher_is == "attack":
        return "A higher score means attack (--higher-is attack)."
    said = "--higher-is live" if higher_is else "assumed, because --higher-is was not given"
    return f"A higher score means live ({said})."


def _notes(found: Given, figures: dict[str, Any], option: str) -> list[str]:
    """Return what a reader of the figures should know, each as a sentence."""
    video = figures["video"]
    notes = []
    missing = video["bootstrap"].get("missing")
    if missing:
        notes.append(f"{missing[0].upper()}{missing[1:]}.")
    if video["threshold"] and video["threshold"]["unresolved"]:
        notes.append(f"The threshold is uncertain: {video['threshold']['unresolved']}.")
    if video["threshold"] and not video["validation"] and found.validation is not None:
        notes.append(f"The validation rows were not used, because {option} is given.")
    if set(found.test.attack_type.tolist()) == {LIVE, "attack"}:
        notes.append("The table names no attack types, so all attacks count as one type.")
    if found.left_out:
        counted = ", ".join(f"{number:,} of split {split}" for split, number in found.left_out.items())
        notes.append(f"Rows that were left out: {counted}.")
    return notes


def _write_page(found: Given, result: dict[str, Any], folder: Store, name: str) -> str:
    from rfmeta_dist.report import given_page

    html = given_page.render(found, result)
    folder.write(name, html.encode())
    return f"{folder.url}/{name}"


def _print(result: dict[str, Any]) -> None:
    from rfmeta_dist.report.given_page import sentence
    from rfmeta_dist.report.judged import rows, units

    figures = result["figures"]
    shown = units(figures)
    table = rows(figures)
    show_table(["in percent", *(f"per {unit}" for unit in shown)], table)
    video = figures["video"]
    people = f" of {video['counts']['subjects']} people" if video["counts"]["subjects"] else ""
    say(
        f"judged {video['counts']['live']:,} live videos and {video['counts']['attack']:,} of attacks{people}",
        result["polarity"],
        *(sentence(figures[unit], unit) for unit in shown),
        *result["notes"],
        *filter(None, [video["bootstrap"].get("trust")]),  # the page says it below its figures
    )
    if "HTER" not in video:
        say(
            "There is no threshold, so all error rates are oracle figures. For honest ones, add validation "
            "rows or give --threshold or --package"
        )
    if "page" in result:
        say(f"wrote the page {result['page']}")
