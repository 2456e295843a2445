"""Several runs side by side: the leave-one-out table for the terminal, Markdown and HTML."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.report.words import interval, number, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from rfmeta_dist.core.types import Unit

    Evaluation = Mapping[str, Any]

COLUMNS = ("target split", "method", "seeds", "HTER", "AUC", "ORACLE EER", "optimism gap")
CAPTION = (
    "Rates in percent. HTER: at the threshold taken from the sources' validation. ORACLE EER: at the "
    "threshold that the target's own labels would choose; not attainable in practice. "
    "[ ]: 95 % interval over the target's subjects; with several seeds, from the lowest end to the "
    "highest. ±: standard deviation over seeds."
)
_FIGURES = ("HTER", "AUC", "oracle_EER", "optimism_gap")


@dataclass(frozen=True)
class Row:
    """One line of the table, as text, in the order of `COLUMNS`."""

    split: str
    method: str
    seeds: str
    hter: str
    auc: str
    oracle_eer: str
    optimism_gap: str


def rows(evaluations: Iterable[Evaluation], unit: Unit = "video") -> list[Row]:
    """One row a split and method, and each method's mean over its targets if it has several.

    Args:
        evaluations: contents of `evaluation.json` of each run; runs that differ in seed alone share
            a row.
        unit: whether to show the figures per video or per frame.
    """
    groups: dict[tuple[str, str], list[Evaluation]] = {}
    for run in evaluations:
        key = split_name(run["sources"], run["target"]), run["method"]
        groups.setdefault(key, []).append(run)
    table = []
    for method in dict.fromkeys(method for _, method in groups):
        of_method = {split: runs for (split, m), runs in groups.items() if m == method}
        for split, runs in of_method.items():
            cells = [_cell([run["figures"][unit][name] for run in runs]) for name in _FIGURES]
            table.append(Row(split, method, str(len(runs)), *cells))
        if len(of_method) > 1:
            table.append(_mean_row(method, list(of_method.values()), unit))
    return table


def _cell(figures: Sequence[Mapping[str, float]]) -> str:
    """A figure of one run, or its mean and spread over several runs."""
    import numpy as np

    value = [figure["value"] for figure in figures]
    mean = number(float(np.mean(value)))
    if len(figures) > 1:
        mean += f" ± {number(float(np.std(value, ddof=1)))}"
    ends = {
        "low": min(figure["low"] for figure in figures),
        "high": max(figure["high"] for figure in figures),
    }
    return f"{mean} {interval(ends)}"


def _mean_row(method: str, splits: Sequence[Sequence[Evaluation]], unit: Unit) -> Row:
    """The mean over targets of the mean over seeds; every target counts alike."""
    import numpy as np

    def mean(name: str) -> str:
        return number(float(np.mean([np.mean([r["figures"][unit][name]["value"] for r in s]) for s in splits])))

    return Row(f"mean of {len(splits)}", method, "", *map(mean, _FIGURES))


def rich_table(table: Sequence[Row]) -> Table:
    """The rows as a table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(*COLUMNS, caption=CAPTION, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    for row in table:
        # Text, so that the brackets of an interval are not read as rich's markup; the interval on
        # a line of its own, so that the table fits 80 columns.
        shown.add_row(*(Text(cell.replace(" [", "\n[")) for cell in astuple(row)))
    return shown


def markdown(table: Sequence[Row]) -> str:
    """The rows as a Markdown table, with a caption below."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(astuple(row) for row in table)]
    body = "\n".join(f"| {' | '.join(c.replace('|', '&#124;') for c in line)} |" for line in lines)
    return f"{body}\n\n{CAPTION}\n"


def loo_page(table: Sequence[Row]) -> str:
    """A self-contained HTML page: the rows, and what papers printed for the real data sets."""
    from rfmeta_dist.report import published
    from rfmeta_dist.report.page import environment

    return (
        environment()
        .get_template("leave_one_out.html.jinja")
        .render(
            columns=COLUMNS,
            caption=CAPTION,
            rows=[astuple(row) for row in table],
            published=published,
        )
    )
