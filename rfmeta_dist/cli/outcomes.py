"""Say what became of the runs of `rfmeta leave-one-out`: its table, its page, and its output as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli import cells, paper_tables
from rfmeta_dist.cli.live import DONE, FAILED
from rfmeta_dist.cli.terminal import say, show_rich, show_table
from rfmeta_dist.core.errors import RfmetaError

if TYPE_CHECKING:
    from rfmeta_dist.cluster.leave_one_out import Outcome
    from rfmeta_dist.config.held_out import Asked
    from rfmeta_dist.config.made import Refused
    from rfmeta_dist.report.folds import Means
    from rfmeta_dist.report.leave_one_out import Judged
    from rfmeta_dist.report.table import Missing


def results(asked: Asked, outcomes: Sequence[Outcome]) -> tuple[list[Judged], list[Missing]]:
    """Return the runs that were judged, with the scores of their targets, and the runs that failed.

    A run with several labels is returned once for each.
    """
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.report.leave_one_out import Judged, of_target
    from rfmeta_dist.report.table import Missing
    from rfmeta_dist.runs.folder import open_folder

    judged, missing = [], []
    for outcome in outcomes:
        run, labels = outcome.config, asked.labels_of(outcome.config)
        if outcome.error is not None:
            target, sources = str(run.data.target), list(run.data.sources)
            reason = outcome.error.problem
            missing += [Missing(target, sources, label, run.training.seed, reason) for label in labels]
            continue
        videos = None
        try:
            scores = Scores.from_parquet(open_folder(run).read("scores.parquet"))
            videos = of_target(scores, outcome.evaluation["target"])
        except RfmetaError as error:  # the figures are known, so the table and the other curves are shown
            say(f"the page lacks the ROC curve of run {run.run.name}: {error}")
        judged += [Judged({**outcome.evaluation, "method": label}, videos) for label in labels]
    return judged, [*missing, *paper_tables.missing_of(asked.refused)]


def write_page(asked: Asked, judged: Sequence[Judged], missing: Sequence[Missing]) -> str:
    """Write the summary page beside the runs' folders and return its URL or path."""
    from rfmeta_dist.report import leave_one_out as report
    from rfmeta_dist.storage.store import open_store

    folder = open_store(asked.runs[0].run.folder)
    folder.write(asked.page, report.page(judged, missing, asked.notes).encode())
    return f"{folder.url}/{asked.page}"


def as_dict(outcomes: Sequence[Outcome], asked: Asked | None = None) -> dict[str, Any]:
    """Return the runs of a leave-one-out as values that JSON can represent.

    Args:
        outcomes: what became of each run.
        asked: what was asked for. If its runs have labels, each cell has them as `configuration`.
    """
    done, labels = [o for o in outcomes if o.error is None], asked.labels if asked else {}
    return {
        "evaluations": [o.evaluation for o in done],
        "times": {
            o.config.run.name: {"started": o.started, "ended": o.ended} for o in done if not math.isnan(o.ended)
        },
        "failed": {o.config.run.name: str(o.error) for o in outcomes if o.error is not None},
        "cells": [
            *(_cell(outcome) | cells.labelled(outcome.config, labels) for outcome in outcomes),
            *map(refused_cell, asked.refused if asked else ()),
        ],
        **(asked.about if asked else {}),
    }


def _cell(outcome: Outcome) -> dict[str, Any]:
    run, seconds = outcome.config, outcome.ended - outcome.started
    video = outcome.evaluation["figures"]["video"] if outcome.error is None else {}
    return {
        "run": run.run.name,
        "target": run.data.target,
        "method": run.method.name,
        "seed": run.training.seed,
        "state": DONE if outcome.error is None else FAILED,
        "reason": None if outcome.error is None else str(outcome.error),
        "seconds": None if math.isnan(seconds) else seconds,
        "hter": video["HTER"]["value"] if video else None,
        "auc": video["AUC"]["value"] if video else None,
    }


def refused_cell(lost: Refused) -> dict[str, Any]:
    """Return the cell of a run that could not be made, as values that JSON can represent."""
    found = {"run": None, "target": lost.target, "method": lost.method, "seed": lost.seed}
    said = {"state": FAILED, "reason": str(lost.error)}
    return found | said | dict.fromkeys(("seconds", "hter", "auc"))


def refusals(lost: Sequence[Refused]) -> list[str]:
    """Return a sentence, without a full stop, about each method whose runs cannot be made, and why."""
    runs: dict[tuple[str, str], int] = {}
    for run in lost:
        reason = run.method, str(run.error)
        runs[reason] = runs.get(reason, 0) + 1
    return [
        f"{method} cannot be trained, which leaves out {count} run{'s' if count > 1 else ''}: {error}"
        for (method, error), count in runs.items()
    ]


def print_results(outcomes: Sequence[Outcome], judged: Sequence[Judged], missing: Sequence[Missing]) -> None:
    """Print when the runs began and ended, and the table of those that were judged."""
    from rfmeta_dist.cluster.leave_one_out import timeline
    from rfmeta_dist.report import table

    for line in timeline([outcome for outcome in outcomes if not math.isnan(outcome.ended)]):
        say(line)
    if judged:
        rows = table.rows([run.evaluation for run in judged], missing=missing)
        show_rich(table.rich_table(rows))


def means_of(asked: Asked, judged: Sequence[Judged], missing: Sequence[Missing]) -> list[Means]:
    """Return for each method its error rates over the folds of an official protocol; [] without one."""
    from rfmeta_dist.report.folds import means

    return means(asked.protocol, [run.evaluation for run in judged], missing) if asked.protocol else []


def print_means(means: Sequence[Means]) -> None:
    """Print the error rates over the folds of an official protocol, if there are any."""
    from rfmeta_dist.report.folds import COLUMNS

    if means:
        show_table(COLUMNS, [found.row() for found in means])


def raise_first(failed: Mapping[str, RfmetaError]) -> None:
    """Print each run that failed, and raise the error of the first one, which sets the exit code."""
    for name, error in failed.items():
        say(f"failed: {name}: {error}")
    if failed:
        raise next(iter(failed.values()))
