"""Make the leave-one-out table, which compares runs, for the terminal, Markdown and HTML."""

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
    "All rates are in percent. HTER is at the threshold from the sources' validation splits. ORACLE EER is at "
    "a threshold chosen with the target's own labels; it cannot be reached in practice. "
    "[ ] is the 95 % interval over the target's subjects; with several seeds, from the lowest end of all "
    "intervals to the highest. ± is the standard deviation over seeds."
)
_FIGURES = ("HTER", "AUC", "oracle_EER", "optimism_gap")


@dataclass(frozen=True)
class Row:
    """The cells of one row of the table, as text, in the order of `COLUMNS`."""

    split: str
    method: str
    seeds: str
    hter: str
    auc: str
    oracle_eer: str
    optimism_gap: str


def rows(evaluations: Iterable[Evaluation], unit: Unit = "video") -> list[Row]:
    """Make one row for each split and method, and one with the mean over targets if a method has several.

    Args:
        evaluations: the content of `evaluation.json` of each run; runs that differ only in the seed share a
            row.
        unit: `video` or `frame`: the unit whose figures are shown.
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
    """Format a figure of one run, or its mean and standard deviation over several runs."""
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
    """Make the row with the mean over targets of the mean over seeds. All targets have the same weight."""
    import numpy as np

    def mean(name: str) -> str:
        return number(float(np.mean([np.mean([r["figures"][unit][name]["value"] for r in s]) for s in splits])))

    return Row(f"mean of {len(splits)}", method, "", *map(mean, _FIGURES))


def rich_table(table: Sequence[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(*COLUMNS, caption=CAPTION, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0))
    for row in table:
        # Use Text, so that rich does not read the brackets of an interval as markup. The interval gets its own
        # line, so that the table fits into 80 columns.
        shown.add_row(*(Text(cell.replace(" [", "\n[")) for cell in astuple(row)))
    return shown


def markdown(table: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, with a caption below."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(astuple(row) for row in table)]
    body = "\n".join(f"| {' | '.join(c.replace('|', '&#124;') for c in line)} |" for line in lines)
    return f"{body}\n\n{CAPTION}\n"


def loo_page(table: Sequence[Row]) -> str:
    """Return a self-contained HTML page with the rows and the figures of papers for real data sets."""
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
