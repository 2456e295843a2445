"""Compute figures from scores: AUC with intervals, and paired differences between arms and between sets.

A figure is the mean over the judged domains of the AUC in each, then over seeds. Intervals are over people and
seeds (bench/study/statistics.py); domains are fixed. Everything that is compared was judged on the same
recordings, or on recordings of the same people and moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.study import statistics
from bench.study.statistics import Estimate, Run
from bench.transfer import trial
from bench.transfer.data import code
from bench.transfer.design import ARMS, COMPARED, GIVEN, QUESTIONS, Cell, Question, Settings, cells
from rfmeta_dist.evaluation.scores import Scores

FIGURE = "AUC"
Place = tuple[str, str, str]  # trained on, judged in, arm
Table = Mapping[Place, Sequence[Run[str]]]


def collect(settings: Settings, seeds: Sequence[int], keep: Path, given: str | None) -> dict[str, Any]:
    """Return all figures of the cells that are done, as JSON-able values.

    Args:
        settings: settings of the trainings.
        seeds: seeds of the networks.
        keep: folder of data and trainings.
        given: prefix of shards that existed already, if any.

    Raises:
        RunError: a cell was made with other settings.
    """
    every = cells(tuple(seeds), given=given is not None)
    done = [replace(cell, judged=trial.done(cell, settings, keep, given)) for cell in every]
    found = table(done, seeds, keep)
    return {
        "settings": asdict(settings),
        "seeds": list(seeds),
        "generator": code(settings, keep),
        "given": None if given is None else given.rstrip("/").rpartition("/")[2],
        "missing": sum(cell not in done for cell in every),
        "auc": [
            {"trained": trained, "judged": judged, "arm": arm, **_numbers(statistics.mean(some, FIGURE))}
            for (trained, judged, arm), some in found.items()
        ],
        "arms": list(between_arms(found)),
        "sets": [row for question in QUESTIONS for row in between_sets(found, question)],
    }


def table(done: Sequence[Cell], seeds: Sequence[int], keep: Path) -> dict[Place, list[Run[str]]]:
    """Return the runs by set trained on, set judged in, and arm: one for each seed and judged domain."""
    found: dict[Place, list[Run[str]]] = {}
    for cell in done:
        # A linear classifier does not depend on a seed. It is compared with the network of each.
        numbers = [cell.seed] if ARMS[cell.arm].network else seeds
        for judged in cell.judged:
            some = found.setdefault((cell.trained, judged, cell.arm), [])
            once = runs(trial.scores(cell, judged, keep), cell.arm, cell.seed)
            some += [replace(run, seed=number) for number in numbers for run in once]
    return found


def runs(scored: Scores, arm: str, seed: int) -> list[Run[str]]:
    """Return a run for each domain of some scores: its AUC, and its AUC in each resample of the people.

    Raises:
        DataError: a domain has a person without live recordings or without attacks.
    """
    found = []
    for domain in np.unique(scored.domain).tolist():
        value, draws = statistics.draw(scored.select(scored.domain == domain), 0.5)
        found.append(Run(arm, domain, seed, value, draws))
    return found


def between_arms(found: Table) -> Iterator[dict[str, Any]]:
    """Yield the paired differences of arms that were trained on one set and judged in one set."""
    for trained, judged in dict.fromkeys((trained, judged) for trained, judged, _ in found):
        for arm, other in COMPARED:
            pair = [found.get((trained, judged, name)) for name in (arm, other)]
            if row := _compared(*pair):
                yield {"trained": trained, "judged": judged, "arm": arm, "less": other, **row}


def between_sets(found: Table, question: Question) -> Iterator[dict[str, Any]]:
    """Yield the paired differences between training one arm on one set and on another, judged in one set."""
    first, second = question.sides
    pairs = [(further, side) for further in (*question.further, GIVEN) for side in question.sides]
    pairs += [(GIVEN, further) for further in question.further]
    for judged in (*question.sides, GIVEN):
        # What is lost: trained on the side that is left out, less trained on the side that is judged.
        lost = (first, second) if judged == second else (second, first)
        for one, other in (lost, *pairs):
            for arm in question.arms:
                if row := _compared(found.get((one, judged, arm)), found.get((other, judged, arm))):
                    yield {"trained": one, "less": other, "judged": judged, "arm": arm, **row}


def _compared(some: Sequence[Run[str]] | None, others: Sequence[Run[str]] | None) -> dict[str, Any] | None:
    if not some or not others:
        return None
    compared = statistics.compare(some, others, FIGURE)
    if compared is None:
        return None
    return {**_numbers(compared.difference), "pairs": compared.pairs, "above": compared.above}


def _numbers(estimate: Estimate) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(estimate).items()}
