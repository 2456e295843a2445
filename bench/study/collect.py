"""Read the files of a study and compute its results: rows, figures, comparisons, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.study import statistics
from bench.study.choose import choose, source_auc
from bench.study.design import Arm, Cell, Grid, Question, Settings
from bench.study.statistics import Comparison, Estimate, Run
from bench.study.trial import is_judged, read_row
from rfmeta_dist.evaluation.decisions import holm
from rfmeta_dist.evaluation.scores import Scores

BASELINES = ("no_meta", "plain")
TESTED = ("AUC", "HTER")


@dataclass(frozen=True)
class Results:
    """All that a report says.

    Attributes:
        grid: the part of the study that was asked for.
        settings: settings of every training.
        rows: the row of each finished training, by its name.
        chosen: the row of the chosen α, by question.
        runs: one for each judged training.
        comparisons: every rule with every baseline, and drawn domains with named ones; see `compare_all`.
        untrained, unjudged: how many trainings and how many evaluations on targets are missing.
        command: the command that makes or resumes the study.
        data: fingerprints of the manifests, by rho and domain.
        commit: commit of this repository that made the data; None if it is not known.
    """

    grid: Grid
    settings: Settings
    rows: Mapping[str, dict[str, Any]]
    chosen: dict[Question, dict[str, Any]]
    runs: Sequence[Run[Arm]]
    comparisons: Sequence[Comparison[Arm]]
    untrained: int
    unjudged: int
    command: str
    data: dict[str, dict[str, str]]
    commit: str | None

    def of(self, arm: Arm, target: str | None = None) -> list[Run[Arm]]:
        """Return the judged runs of an arm, on one target or on all."""
        return [run for run in self.runs if run.arm == arm and target in (None, run.target)]

    def compared(self, rho: float, figure: str) -> list[Comparison[Arm]]:
        """Return the comparisons of a figure at a rho."""
        return [c for c in self.comparisons if (c.arm.rho, c.figure) == (rho, figure)]

    @property
    def arms(self) -> list[Arm]:
        """Return all arms that were asked for."""
        grid = self.grid
        return [Arm(rho, trained, m) for rho in grid.rhos for trained in grid.trained for m in grid.methods]

    def as_json(self) -> dict[str, Any]:
        """Return the results as JSON-able values, without the resamples."""
        questions: dict[str, list[Question]] = {}  # by the training that was chosen for them
        for question, row in self.chosen.items():
            questions.setdefault(Cell(question, row["alpha"]).name, []).append(question)
        judged = {(r.arm, r.target, r.seed): dict(r.value) for r in self.runs}
        rows = []
        for name, row in self.rows.items():
            asked = questions.get(name, [])
            looks = {q.target: judged.get((Arm.of(q), q.target, q.seed)) for q in asked}
            rows.append({**row, "chosen": bool(asked), "on_target": looks})
        means = [
            {**asdict(arm), "target": target or "mean", "figure": figure, **asdict(estimate)}
            for arm in self.arms
            for target in (*self.grid.targets, None)
            for figure in statistics.FIGURES
            if (estimate := self.mean(arm, figure, target)) is not None
        ]
        return {
            "command": self.command,
            "settings": asdict(self.settings),
            "missing": {"trainings": self.untrained, "looks_at_targets": self.unjudged},
            "hours": round(hours(self.rows.values()), 3),
            "machines": machines(self.rows.values()),
            "data": self.data,
            "commit": self.commit,
            "means": means,
            "comparisons": [asdict(c) | {"significant": c.significant} for c in self.comparisons],
            "rows": rows,
        }

    def mean(self, arm: Arm, figure: str, target: str | None = None) -> Estimate | None:
        """Return the mean over seeds (and targets, if none is named) with its interval; None without runs.

        The mean over targets needs all of them, because a mean over fewer could not be compared with another
        rule's.
        """
        runs = self.of(arm, target)
        if not runs or (target is None and {r.target for r in runs} != set(self.grid.targets)):
            return None
        return statistics.mean(runs, figure)

    def in_source(self, arm: Arm) -> float | None:
        """Return the mean AUC per video over the chosen trainings and their sources' validation splits."""
        found = [source_auc(row, "video") for q, row in self.chosen.items() if Arm.of(q) == arm]
        return sum(found) / len(found) if found else None


def chosen_rows(grid: Grid, settings: Settings, folder: Path) -> dict[Question, dict[str, Any]]:
    """Return the chosen training of each question whose trainings are all done. No target is read."""
    found: dict[Question, dict[str, Any]] = {}
    for question in grid.questions:
        rows = [read_row(cell, settings, folder) for cell in _cells(question, grid, found) or ()]
        best = choose([row for row in rows if row]) if all(rows) else None
        if best is not None:
            found[question] = dict(best)
    return found


def to_train(grid: Grid, settings: Settings, folder: Path) -> list[Cell]:
    """Return the known trainings that are not done. Other seeds are known after the first one has chosen α."""
    known = _known(grid, chosen_rows(grid, settings, folder))
    return [cell for cell in known if read_row(cell, settings, folder) is None]


def to_judge(grid: Grid, settings: Settings, folder: Path) -> list[Cell]:
    """Return the chosen trainings that were not evaluated on their target yet."""
    cells = [Cell(q, row["alpha"]) for q, row in chosen_rows(grid, settings, folder).items()]
    return [cell for cell in cells if not is_judged(cell, folder)]


def collect(
    grid: Grid,
    settings: Settings,
    folder: Path,
    command: str,
    data: dict[str, dict[str, str]],
    commit: str | None,
) -> Results:
    """Read the results that exist, and compute everything that follows from them."""
    chosen = chosen_rows(grid, settings, folder)
    rows = {cell.name: read_row(cell, settings, folder) for cell in _known(grid, chosen)}
    unknown = {Cell(q, None).name for q in grid.questions if _cells(q, grid, chosen) is None}
    cells = {q: Cell(q, row["alpha"]) for q, row in chosen.items()}
    runs = [_run(cell, folder) for cell in cells.values() if is_judged(cell, folder)]
    return Results(
        grid=grid,
        settings=settings,
        rows={name: row for name, row in rows.items() if row},
        chosen=chosen,
        runs=runs,
        comparisons=compare_all(grid, runs),
        untrained=sum(row is None for row in rows.values()) + len(unknown),
        unjudged=len(grid.questions) - len(runs),
        command=command,
        data=data,
        commit=commit,
    )


def _known(grid: Grid, chosen: Mapping[Question, Mapping[str, Any]]) -> list[Cell]:
    """Return the trainings that the study is known to need, each once."""
    every = [cell for q in grid.questions for cell in _cells(q, grid, chosen) or ()]
    return list({cell.name: cell for cell in reversed(every)}.values())[::-1]


def _cells(question: Question, grid: Grid, chosen: Mapping[Question, Mapping[str, Any]]) -> list[Cell] | None:
    """Return a question's trainings: every α for the first seed, else the chosen α; None if not chosen yet."""
    first = replace(question, seed=grid.seeds[0])
    if question == first or question.alphas == (None,):
        return question.cells
    return [Cell(question, chosen[first]["alpha"])] if first in chosen else None


def compare_all(grid: Grid, runs: Sequence[Run[Arm]]) -> list[Comparison[Arm]]:
    """Compare every rule with every baseline on the same sources, and for each rule drawn with named domains.

    Holm's correction is over all comparisons of a figure.
    """
    of: dict[Arm, list[Run[Arm]]] = {}
    for run in runs:
        of.setdefault(run.arm, []).append(run)
    found: list[Comparison[Arm]] = []
    for figure in TESTED:
        every = [statistics.compare(of.get(a, []), of.get(b, []), figure) for a, b in _pairs(grid)]
        family = [comparison for comparison in every if comparison]
        corrected = holm([c.p for c in family])
        found += [replace(c, holm=p) for c, p in zip(family, corrected, strict=True)]
    return found


def _pairs(grid: Grid) -> Iterator[tuple[Arm, Arm]]:
    """Yield the pairs of arms that are compared."""
    for rho in grid.rhos:
        for trained in grid.trained:
            for baseline in BASELINES:
                # plain against no_meta is the same test as no_meta against plain, so it is left out
                methods = [m for m in grid.methods if m != baseline and (m, baseline) != ("plain", "no_meta")]
                for method in methods:
                    yield Arm(rho, trained, method), Arm(rho, trained, baseline)
        for method in grid.methods:
            yield Arm(rho, "drawn", method), Arm(rho, "named", method)


def hours(rows: Iterable[dict[str, Any]]) -> float:
    """Return the hours during which at least one training ran, over all starts of the study."""
    total, until = 0.0, 0.0
    for started, ended in sorted((row["started"], row["ended"]) for row in rows):
        total += max(0.0, ended - max(started, until))
        until = max(until, ended)
    return total / 3600


def machines(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the machines on which it ran."""
    return sorted({row["machine"] for row in rows})


def _run(cell: Cell, folder: Path) -> Run[Arm]:
    place, q = folder / "runs" / cell.judged, cell.question
    evaluation = json.loads((place / "evaluation.json").read_text())
    scores = Scores.from_parquet((place / "scores.parquet").read_bytes())
    threshold = evaluation["figures"]["video"]["threshold"]["value"]
    value, draws = statistics.draw(scores.select(scores.domain == q.target), threshold)
    return Run(Arm.of(q), q.target, q.seed, value, draws)
