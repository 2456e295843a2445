"""The tables that `rfmeta leave-one-out` makes of several methods: written beside the runs, and printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Column

from rfmeta_dist.cli.terminal import plain_table, say, show, show_rich
from rfmeta_dist.core.errors import RunError

if TYPE_CHECKING:
    from rfmeta_dist.config.held_out import Asked
    from rfmeta_dist.config.made import Refused
    from rfmeta_dist.report.paper_table import Results
    from rfmeta_dist.report.table import Missing

LIMITED = "limited-source"
PLAIN = "leave-one-out"
DEVIATION = re.compile(r" ± [\d.]+")


def missing_of(refused: Sequence[Refused]) -> list[Missing]:
    """Return the runs that could not be made, as the tables show them."""
    from rfmeta_dist.report.table import Missing

    return [Missing(lost.target, lost.sources, lost.method, lost.seed, lost.error.problem) for lost in refused]


def read(asked: Asked, reasons: Mapping[str, str]) -> dict[str, Results]:
    """Return the results by protocol: those of the runs that were asked for, and what is there of the others.

    Args:
        asked: what was asked for.
        reasons: why runs failed, by the run's name, as far as it is known.
    """
    from rfmeta_dist.report import paper_table

    own = LIMITED if asked.limited else PLAIN
    found = {own: paper_table.read(asked.runs, reasons, missing_of(asked.refused))}
    others = asked.others
    if others.runs:
        other = PLAIN if asked.limited else LIMITED
        found[other] = paper_table.read(others.runs, refused=missing_of(others.refused))
    return {name: results for name in (PLAIN, LIMITED) if (results := found.get(name))}


def write(asked: Asked, results: Mapping[str, Results]) -> list[str]:
    """Write the tables as a page, and as Markdown with a drawing, beside the runs' folders. Return the places.

    Raises:
        StorageError: the folder cannot be written.
    """
    from rfmeta_dist.report import paper_table_page, paper_table_text
    from rfmeta_dist.report.bars import ablation
    from rfmeta_dist.storage.store import open_store

    name, picture = asked.tables.removesuffix(".html"), ""
    files = {asked.tables: paper_table_page.page(results)}
    if PLAIN in results and (drawn := ablation(results[PLAIN], "bars")):
        picture = f"{name}.svg"
        files[picture] = drawn
    files[f"{name}.md"] = paper_table_text.markdown(results, picture)
    folder = open_store(asked.runs[0].run.folder)
    for file, text in files.items():
        folder.write(file, text.encode())
    return [f"{folder.url}/{file}" for file in files]


def as_dict(results: Mapping[str, Results], places: Sequence[str]) -> dict[str, Any]:
    """Return the tables as values that JSON can represent, with the places of page and files."""
    from rfmeta_dist.report import paper_table_text

    return paper_table_text.as_dict(results) | {"page": places[0], "files": list(places[1:])}


def print_tables(results: Mapping[str, Results]) -> None:
    """Print the tables on stdout, and what limits them on stderr.

    A terminal has room for means alone. The page has deviations and notes in the tables, too.
    """
    from rfmeta_dist.report import paper_table_text as text

    for protocol, some in results.items():
        heads = text.heads(some)
        for title, rows in text.tables(some, protocol).items():
            show(f"{text.PROTOCOLS[protocol]}. {title}. HTER/AUC in percent")
            # A column of rich belongs to one table.
            columns: list[str | Column] = [heads[0], *(Column(head, no_wrap=True) for head in heads[2:-1])]
            body = [
                [_short(row[0]), *(DEVIATION.sub("", cell).replace(" / ", "/") for cell in row[2:-1])]
                for row in rows
            ]
            show_rich(plain_table(columns, body, padding=(0, 1, 0, 0)))
            show(*(f"  {row[0]}: {row[-1]}" for row in rows if row[-1]))
        verdicts = [[*row[:3], *row[5:]] for row in text.difference_rows(some)]
        if verdicts:
            heads = [*text.DIFFERENCES[:3], *text.DIFFERENCES[5:]]
            show_rich(plain_table(heads, verdicts, padding=(0, 1, 0, 0)))
    say(text.CAPTION, text.PUBLISHED, *(f"{note}." for note in text.notes(results)))


def _short(name: str) -> str:
    """Return the name of a row; that of a row with published figures without its method, which is above it."""
    if not name.endswith("(published)"):
        return name
    return "re-run, published" if "re-run" in name else "published"


def report(asked: Asked) -> dict[str, Results]:
    """Return the results of the runs that are finished, for a command that trains nothing.

    Raises:
        RunError: no run is finished.
    """
    if results := read(asked, {}):
        return results
    raise RunError(
        f"none of the {len(asked.runs)} runs is trained and judged",
        "give the command without --report first",
    )
