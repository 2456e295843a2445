"""`rfmeta judge`: compute the figures of scores that any model gave, and write their page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rfmeta_dist.cli.terminal import Json, place_of, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import LIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.evaluation.given import Given

EXAMPLES = """
[bold]Examples[/]

  rfmeta judge scores.csv

  rfmeta judge scores.csv --column subject=person_id --live genuine --higher-is attack --out page.html

  rfmeta judge scores-eval --validation scores-dev     [dim]# bob's four columns[/]

  rfmeta judge runs/oci_to_m/scores.parquet --target M

  rfmeta judge scores.csv --threshold 0.5 --json

The table has a row for each frame or video, with the columns video, label (live or attack) and score, and if
known subject, attack_type, split (validation or test), domain and frame. The threshold is chosen on the
validation rows. Without them and without --threshold, all error rates are oracle figures.
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
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN",
            help="Use this column of the table as video, subject, label, attack_type, split, domain, frame, "
            "key or score; may be repeated. `NAME=` uses none.",
        ),
    ] = None,
    live: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Label of live rows, such as 1; every other label is an attack."),
    ] = None,
    higher_is: Annotated[
        Literal["live", "attack"] | None,
        typer.Option(help="What a higher score means; live if not given, after checking that AUC agrees."),
    ] = None,
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
    operating_point: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How the threshold is chosen: eer if not given, or min-hter, "
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
    from rfmeta_dist.evaluation.given_rows import Reading

    if threshold is not None and not math.isfinite(threshold):
        raise ConfigError(f"the threshold {threshold} is not a finite number", "give a number, such as 0.5")
    reading = Reading(_columns(column or ()), tuple(live or ()), higher_is, target)
    table = given.read(*_content(scores), reading)
    apart = None if validation is None else given.read(*_content(validation), reading)
    found = given.understand(table, apart, reading)
    figures = given_figures.compute(found, operating_point, threshold, seed)
    result = {
        "table": table.name,
        "target": target,
        "higher_is": "attack" if found.turned else "live",
        "polarity": _polarity(higher_is),
        "notes": _notes(found, figures),
        "figures": figures,
    }
    if out is not None:
        result["page"] = _write_page(found, result, out)
    if json:
        print_json(result)
    else:
        _print(result)


def _columns(given: Sequence[str]) -> dict[str, str]:
    from rfmeta_dist.evaluation.vocabulary import ROLES

    columns = {}
    for text in given:
        role, equal, name = text.partition("=")
        if not equal or role not in ROLES:
            raise ConfigError(
                f"--column {text} does not say what the column is used for",
                f"write NAME=COLUMN, where NAME is one of {', '.join(ROLES)}",
            )
        columns[role] = name
    return columns


def _content(path: str) -> tuple[bytes, str]:
    """Return the content of a local file or an S3 object, and its name."""
    from rfmeta_dist.storage.store import open_store

    folder, slash, name = path.rpartition("/")
    if not name:
        raise ConfigError(f"{path or 'an empty text'!r} is not the path of a file", "give a table of scores")
    return open_store(folder or (slash or ".")).read(name), name


def _polarity(higher_is: str | None) -> str:
    if higher_is == "attack":
        return "A higher score means attack (--higher-is attack)."
    said = "--higher-is live" if higher_is else "assumed, because --higher-is was not given"
    return f"A higher score means live ({said})."


def _notes(found: Given, figures: dict[str, Any]) -> list[str]:
    """Return what a reader of the figures should know, each as a sentence."""
    video = figures["video"]
    notes = []
    missing = video["bootstrap"].get("missing")
    if missing:
        notes.append(f"{missing[0].upper()}{missing[1:]}.")
    if video["threshold"] and video["threshold"]["unresolved"]:
        notes.append(f"The threshold is uncertain: {video['threshold']['unresolved']}.")
    if video["threshold"] and not video["threshold"]["operating_point"] and found.validation is not None:
        notes.append("The validation rows were not used, because --threshold is given.")
    if set(found.test.attack_type.tolist()) == {LIVE, "attack"}:
        notes.append("The table names no attack types, so all attacks count as one type.")
    if found.left_out:
        counted = ", ".join(f"{number:,} of split {split}" for split, number in found.left_out.items())
        notes.append(f"Rows that were left out: {counted}.")
    return notes


def _write_page(found: Given, result: dict[str, Any], out: Path) -> str:
    from rfmeta_dist.report import given_page

    html = given_page.render(found, result)
    folder, name = place_of(out)
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
            "rows or give --threshold"
        )
    if "page" in result:
        say(f"wrote the page {result['page']}")
