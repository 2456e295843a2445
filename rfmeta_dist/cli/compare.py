"""`rfmeta compare`: compare the methods of several judged runs on the same samples, and decide in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.lists import names
from rfmeta_dist.cli.places import place_of
from rfmeta_dist.cli.terminal import Json, plain_table, print_json, say, show, show_rich
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.report.comparison import Comparison

EXAMPLES = """
[bold]Examples[/]

  rfmeta compare runs/demo-no_meta-to_M-s0 runs/demo-rfmeta-to_M-s0

  rfmeta compare runs/demo-*-to_?-s? --baseline no_meta     [dim]# all targets, methods and seeds[/]

  rfmeta compare runs/a runs/b --label runs/a=small --label runs/b=large

  rfmeta compare runs/demo-*-to_?-s? --format latex > table.tex

Runs of one method are taken together: several targets are averaged, and several seeds too. The runs must have
been judged with rfmeta evaluate on the same state of their targets.
"""
FORMATS = ("md", "csv", "latex", "json")
PAGE = "comparison.html"


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(help="Folders of judged runs, local or s3://…, two or more.", show_default=False),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(help="Method that the others are compared with; that of the first run if not given."),
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare each method with each other one.")
    ] = False,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN=NAME",
            help="Show the runs whose folder is RUN, or fits it as a pattern, as the method NAME; may be "
            "repeated. If not given, the name is that of the method and the fields in which its runs differ.",
        ),
    ] = None,
    figures: Annotated[
        str,
        typer.Option(help="Figures to compare, separated by commas: HTER, AUC, ACER, FAR, BPCER, APCER_worst."),
    ] = "HTER,AUC",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Print md (Markdown), csv, latex or json on stdout in place of the tables for a terminal.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"File to write the page to; {PAGE} beside the first run's folder if not given."),
    ] = None,
    json: Json = False,
) -> None:
    """Compare methods on the same samples, paired by person and seed: figures, differences and verdicts."""
    chosen, form = _figures(figures), _form(form, json)

    from rfmeta_dist.report import comparison, comparison_page, contestants

    found = contestants.read(runs, label or ())
    result = comparison.compare(found, chosen, baseline, all_pairs=all_pairs)
    html = comparison_page.page(result, found)
    page = _write(html, runs[0], out)
    _print(result, form, page)
    if form != "json":
        say(f"wrote the page {page}")


def _figures(given: str) -> list[str]:
    """Return the names of the figures, in the order given."""
    from rfmeta_dist.evaluation.paired import FIGURES

    chosen = list(dict.fromkeys(names(given)))
    unknown = [name for name in chosen if name not in FIGURES]
    if unknown or not chosen:
        raise ConfigError(
            f"{(unknown or [''])[0]!r} is no figure that can be compared", f"choose from {', '.join(FIGURES)}"
        )
    return chosen


def _form(form: str | None, json: bool) -> str | None:
    if json and form not in (None, "json"):
        raise ConfigError(f"--json and --format {form} are both given", "give one of them")
    if form is not None and form not in FORMATS:
        raise ConfigError(f"{form!r} is no value of --format", f"choose from {', '.join(FORMATS)}")
    return "json" if json else form


def _write(html: str, first: str, out: Path | None) -> str:
    """Write the page and return its URL or path."""
    from rfmeta_dist.storage.store import open_store

    if out is None:
        parent, name = open_store(open_store(first).url.rstrip("/").rpartition("/")[0] or "/"), PAGE
    else:
        parent, name = place_of(out, "a file for the page, such as comparison.html")
    parent.write(name, html.encode())
    return f"{parent.url}/{name}"


def _print(result: Comparison, form: str | None, page: str) -> None:
    from rfmeta_dist.report import comparison_text as text
    from rfmeta_dist.report import comparison_values as values

    if form == "json":
        print_json(values.as_dict(result) | {"page": page})
    elif form is not None:
        write = {"md": text.markdown, "latex": text.latex, "csv": values.tidy}[form]
        show(*write(result).splitlines())
    else:
        _show(text.head(result), text.rows(result))
        _show(("figure", "difference", "p", "verdict"), _differences(result))
        say(*(f"{note}." for note in result.notes), text.check_words(result.checks))


def _show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    show_rich(plain_table(columns, rows, padding=(0, 1)))


def _differences(result: Comparison) -> list[list[str]]:
    """Return the rows of the differences that were decided, for a terminal, which has room for few columns."""
    from rfmeta_dist.report import comparison_text as text

    decided = [d for d in result.differences if d.verdict]
    return [
        [
            f"{figure}, {target}\n{method} − {baseline}",
            difference.replace(" [", f"\n{confidence} ["),
            p,
            verdict,
        ]
        for figure, method, baseline, target, difference, confidence, p, verdict in text.difference_rows(
            decided, result
        )
    ]
