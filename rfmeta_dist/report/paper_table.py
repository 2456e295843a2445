"""Read the finished runs of several methods, and arrange their figures as the tables of the RFMeta paper.

Nothing is trained or judged here, so the tables can be made again at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.methods.tables import (
    LACKING,
    LIMITED_SOURCES,
    PAPERS_OWN,
    TABLES,
    in_order,
    title_of,
    titles,
)
from rfmeta_dist.core.errors import RfmetaError, RunError
from rfmeta_dist.report import comparison, contestants, published
from rfmeta_dist.report.comparison import MEAN, Comparison, Figure
from rfmeta_dist.report.contestants import Contestant
from rfmeta_dist.report.records import require_target
from rfmeta_dist.report.table import Missing
from rfmeta_dist.report.words import split_name
from rfmeta_dist.runs.folder import MODEL, is_started, open_folder
from rfmeta_dist.storage.errors import MissingError

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.storage.store import Store

FIGURES = ("HTER", "AUC")
OTHERS = "Other methods"  # the table of methods that stand in none of the paper's
NOT_ASKED = "it was left out of this table"


@dataclass(frozen=True)
class Line:
    """What the tables show of one method.

    Attributes:
        title: the method's title in the paper, or its name.
        method: its name here; empty if this version lacks it.
        figures: HTER and AUC by (figure, target), and for MEAN if it has runs on all targets.
        seeds: how many seeds its runs have, such as `3`, or `2 of 3` if runs are missing; empty without runs.
        hours: hours of training, summed over the runs that were judged; None if no run recorded its time.
        published: what papers report, by the name of the row that shows it: HTER / AUC in percent by the name
            of the split, as they print it.
        reason: why runs are missing; empty if none is.
    """

    title: str
    method: str
    figures: Mapping[tuple[str, str], Figure]
    seeds: str
    hours: float | None
    published: Mapping[str, Mapping[str, str]]
    reason: str


@dataclass(frozen=True)
class Results:
    """The results of all methods by one protocol.

    Attributes:
        splits: the name of each target's split, such as `O&C&I→M`, in the order of the papers.
        lines: all methods, in the order of the paper.
        found: the runs that were judged.
        missing: the runs that were asked for and have no result.
        comparison: each method compared with the paper's own; None if there is nothing to compare.
        seeds: the number of seeds that were asked for.
    """

    splits: Mapping[str, str]
    lines: Sequence[Line]
    found: Sequence[Contestant]
    missing: Sequence[Missing]
    comparison: Comparison | None
    seeds: int

    @property
    def targets(self) -> list[str]:
        """Return the targets, and MEAN if there are several."""
        return [*self.splits, *([MEAN] if len(self.splits) > 1 else [])]

    def of(self, table: str) -> list[Line]:
        """Return the lines of one of the paper's tables, or those of no table for OTHERS."""
        if table == OTHERS:
            listed = {title for some in TABLES.values() for title in some}
            return [line for line in self.lines if line.title not in listed and line.seeds]
        return [next(line for line in self.lines if line.title == title) for title in TABLES[table]]


def read(
    runs: Sequence[Config], reasons: Mapping[str, str] | None = None, refused: Sequence[Missing] = ()
) -> Results | None:
    """Read the results of runs from their folders.

    Args:
        runs: the runs that were asked for, of one protocol.
        reasons: why runs failed, by the run's name, as far as it is known.
        refused: runs that were asked for and could not be made.

    Returns:
        The results; None if no run was judged.
    """
    if _of_several_choices(runs):
        runs = [run for run in runs if set(run.data.sources) == set(LIMITED_SOURCES)]
        refused = [lost for lost in refused if set(lost.sources) == set(LIMITED_SOURCES)]
    found: list[Contestant] = []
    missing = list(refused)
    hours: dict[str, list[float]] = {}
    first: dict[str, Contestant] = {}
    # The runs of the paper's own method come first, because the others are compared with them.
    for run in sorted(runs, key=lambda run: run.method.name != PAPERS_OWN):
        try:
            one = _judged(run)
            contestants.require_same(first.get(one.run.target, one), one)
        except RfmetaError as error:
            reason = (reasons or {}).get(run.run.name) or error.problem
            missing.append(
                Missing(str(run.data.target), run.data.sources, run.method.name, run.training.seed, reason)
            )
            continue
        first.setdefault(one.run.target, one)
        found.append(one)
        hours.setdefault(one.method, []).extend(_hours(open_folder(run)))
    if not found:
        return None
    splits = _splits(found, missing)
    lines = [_line(title, found, missing, splits, hours) for title in _all_titles(found, missing)]
    seeds = len({one.run.seed for one in found} | {lost.seed for lost in missing})
    return Results(splits, lines, found, missing, _compared(found), seeds)


def _of_several_choices(runs: Sequence[Config]) -> bool:
    """Return True if the runs of a target differ in sources. Those with the papers' alone are then shown."""
    choices: dict[str | None, set[frozenset[str]]] = {}
    for run in runs:
        choices.setdefault(run.data.target, set()).add(frozenset(run.data.sources))
    return any(len(some) > 1 for some in choices.values())


def _judged(run: Config) -> Contestant:
    """Return a run that was judged on its target.

    Raises:
        RfmetaError: it was not, or its folder cannot be read or belongs to another run.
    """
    folder = open_folder(run)
    again = "give the command again to do what is missing"
    if not is_started(folder, run):
        raise RunError("the run has not been started", again)
    if not folder.exists(MODEL):
        raise RunError("the run has not been trained to its end", again)
    if not folder.exists("evaluation.json"):
        raise RunError("the run has not been judged", again)
    found = contestants.contestant(folder.url)
    require_target(found.record.evaluation, run, folder.url)
    return found


def _hours(folder: Store) -> list[float]:
    """Return the hours for which a run was trained, in a list; [] if it did not record them.

    A run of a learning rule has the seconds of each step; the model of hand-made features those of its fit.
    """
    try:
        if folder.exists("metrics.jsonl"):
            rows = [json.loads(line) for line in folder.read("metrics.jsonl").splitlines()]
            return [sum(float(row["seconds"]) for row in rows) / 3600]
        return [float(json.loads(folder.read(MODEL))["classifier"]["seconds"]) / 3600]
    except (MissingError, ValueError, KeyError, TypeError):  # an earlier version's, or damaged
        return []


def _splits(found: Sequence[Contestant], missing: Sequence[Missing]) -> dict[str, str]:
    """Return the name of each target's split: that of the papers if they have it, and these first."""
    sources = {lost.target: list(lost.sources) for lost in missing}
    sources |= {one.run.target: list(one.sources) for one in found}
    names = {target: split_name(some, target) for target, some in sources.items()}
    order = {}
    for known in (*published.SPLITS, *published.LIMITED_SPLITS):
        theirs, _, target = known.partition("→")
        if set(theirs.split("&")) == set(sources.get(target, ())):
            order[target] = known
    return {**order, **{target: name for target, name in sorted(names.items()) if target not in order}}


def _all_titles(found: Sequence[Contestant], missing: Sequence[Missing]) -> list[str]:
    asked = [*(one.method for one in found), *(lost.method for lost in missing)]
    return list(dict.fromkeys([*titles(), *map(title_of, asked)]))


def _line(
    title: str,
    found: Sequence[Contestant],
    missing: Sequence[Missing],
    splits: Mapping[str, str],
    hours: Mapping[str, Sequence[float]],
) -> Line:
    runs = [one for one in found if title_of(one.method) == title]
    gone = [lost for lost in missing if title_of(lost.method) == title]
    method = next((name for name in METHODS if title_of(name) == title), "")
    targets = [*splits, *([MEAN] if len(splits) > 1 else [])]
    figures = {
        (name, target): figure
        for name in FIGURES
        for target in targets
        if (figure := comparison.figure_of(runs, name, method, target, list(splits))) is not None
    }
    trained = hours.get(method, ())
    return Line(
        title,
        method,
        figures,
        _seeds(runs, gone),
        sum(trained) if trained else None,
        _published(title, splits.values()),
        _reason(title, method, runs, gone),
    )


def _seeds(runs: Sequence[Contestant], gone: Sequence[Missing]) -> str:
    judged = {one.run.seed for one in runs}
    every = judged | {lost.seed for lost in gone}
    if not runs:
        return ""
    whole = judged - {lost.seed for lost in gone}
    return str(len(every)) if whole == every else f"{len(whole)} of {len(every)}"


def _published(title: str, splits: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return what papers report about a method on some splits, by row, without empty cells."""
    names = [title, *([published.RERUN] if title == title_of(PAPERS_OWN) else [])]
    found: dict[str, dict[str, str]] = {}
    for name in names:
        known = dict(zip(published.SPLITS, published.HTER_AUC.get(name, ()), strict=False))
        known |= dict(zip(published.LIMITED_SPLITS, published.LIMITED.get(name, ()), strict=False))
        if cells := {split: known[split] for split in splits if known.get(split, "–") != "–"}:
            found[f"{name} (published)"] = cells
    return found


def _reason(title: str, method: str, runs: Sequence[Contestant], gone: Sequence[Missing]) -> str:
    """Say why runs of a method are missing; an empty text if none is."""
    if gone:
        count = f"{len(gone)} of {len(gone) + len(runs)} runs missing" if runs else "no run"
        reasons = list(dict.fromkeys(lost.reason for lost in gone))
        more = f" (and {len(reasons) - 1} other reason(s), listed below)" if len(reasons) > 1 else ""
        return f"{count}: {reasons[0]}{more}"
    if runs:
        return ""
    if title in LACKING:
        return f"not run: {LACKING[title]}"
    return f"not run: {NOT_ASKED if method else 'this version does not have it'}"


def _compared(found: Sequence[Contestant]) -> Comparison | None:
    """Compare each method with the paper's own; None if no run has a partner with the same target and seed."""
    own = [one for one in found if one.method == PAPERS_OWN]
    places = {(one.run.target, one.run.seed) for one in own}
    paired = {one.method for one in found if (one.run.target, one.run.seed) in places} - {PAPERS_OWN}
    if not paired:
        return None
    order = in_order()
    some = sorted((one for one in found if one.method in paired), key=lambda one: order.index(one.method))
    return comparison.compare([*own, *some], FIGURES, PAPERS_OWN)
