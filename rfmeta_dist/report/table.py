"""Make the leave-one-out table, which compares runs, for the terminal, Markdown and HTML."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.report.words import interval, mean_and_deviation, number, split_name

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
    "intervals to the highest. ± is the standard deviation over seeds. “2 of 3” says that a run is missing."
)
MISSING = "–"  # stands where a figure would be, if no run of a row was judged
_FIGURES = ("HTER", "AUC", "oracle_EER", "optimism_gap")


@dataclass(frozen=True)
class Missing:
    """A run that was asked for and has no evaluation.

    Attributes:
        target: the domain that was held out.
        sources: the domains that the run was to be trained on.
        method: name of the method.
        seed: the training's seed.
        reason: why there is no evaluation, in words.
    """

    target: str
    sources: Sequence[str]
    method: str
    seed: int
    reason: str

    @property
    def split(self) -> str:
        """Return the name of the run's split, such as `O&C&I→M`."""
        return split_name(self.sources, self.target)


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


def rows(evaluations: Iterable[Evaluation], unit: Unit = "video", missing: Sequence[Missing] = ()) -> list[Row]:
    """Make one row for each split and method, and one with the mean over targets if a method has several.

    A row in which runs are missing says of how many runs or targets it is the mean.

    Args:
        evaluations: the content of `evaluation.json` of each run; runs that differ only in the seed share a
            row.
        unit: `video` or `frame`: the unit whose figures are shown.
        missing: the runs without an evaluation.
    """
    groups: dict[str, dict[str, list[Evaluation]]] = {}
    for run in evaluations:
        of_method = groups.setdefault(run["method"], {})
        of_method.setdefault(split_name(run["sources"], run["target"]), []).append(run)
    for lost in missing:
        groups.setdefault(lost.method, {}).setdefault(lost.split, [])
    table = []
    for method, of_method in groups.items():
        gone = [lost.split for lost in missing if lost.method == method]
        for split, runs in of_method.items():
            seeds = _of(len(runs), len(runs) + gone.count(split))
            table.append(Row(split, method, seeds, *(_cell(_figures(runs, unit, name)) for name in _FIGURES)))
        if len(of_method) > 1:
            table.append(_mean_row(method, list(of_method.values()), unit, len(gone)))
    return table


def _of(some: int, all_: int) -> str:
    return str(all_) if some == all_ else f"{some} of {all_}"


def _figures(runs: Sequence[Evaluation], unit: Unit, name: str) -> list[Mapping[str, float]]:
    return [run["figures"][unit][name] for run in runs]


def _cell(figures: Sequence[Mapping[str, float]]) -> str:
    """Format a figure of one run, or its mean and standard deviation over several runs."""
    if not figures:
        return MISSING
    ends = {
        "low": min(figure["low"] for figure in figures),
        "high": max(figure["high"] for figure in figures),
    }
    return f"{mean_and_deviation([figure['value'] for figure in figures])} {interval(ends)}"


def _mean_row(method: str, splits: Sequence[Sequence[Evaluation]], unit: Unit, gone: int) -> Row:
    """Make the row with the mean over targets of the mean over seeds. All targets have the same weight.

    The deviation is that of the mean over targets, from seed to seed. So it needs each seed for each target.
    """
    import numpy as np

    judged = [runs for runs in splits if runs]
    seeds = {tuple(sorted(run["seed"] for run in runs)) for runs in judged}

    def mean(name: str) -> str:
        if not judged:
            return MISSING
        if len(seeds) > 1 or gone:
            over_seeds = [np.mean([f["value"] for f in _figures(runs, unit, name)]) for runs in judged]
            return number(float(np.mean(over_seeds)))
        by_seed = zip(*(sorted(runs, key=lambda run: run["seed"]) for runs in judged), strict=True)
        over_targets = [[f["value"] for f in _figures(runs, unit, name)] for runs in by_seed]
        return mean_and_deviation([float(np.mean(values)) for values in over_targets])

    count = sum(map(len, judged))
    of_all = _of(count, count + gone) if gone else ""
    return Row(f"mean of {_of(len(judged), len(splits))}", method, of_all, *map(mean, _FIGURES))


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
