"""Analyse why the rules of the study differ so little: what the inner update changes, and other causes.

    python -m bench.why                  run it after python -m bench.study; run it again to resume it
    python -m bench.why --rho 0.9

It opens targets that the study left sealed, such as those of inner rates that were not chosen. These figures
explain the study's, and nothing may be chosen by them. They are written to bench/results/why.json, and
docs/why.md cites them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.result import exit_code
from bench.study import collect, tune
from bench.study.design import ADAPTING, ALPHAS, DOMAINS, Cell, Grid, Question, Settings
from bench.study.trial import is_judged, read_row
from bench.why.gradients import gradients
from bench.why.targets import hindsight, statistics, summary
from rfmeta_dist.cli.terminal import print_json
from rfmeta_dist.core.errors import RunError


@dataclass(frozen=True)
class Variation:
    """Trainings beyond the study's: a rule at one inner rate, on every target.

    Attributes:
        method: a key of the study's RULES.
        alpha: inner rate; None for a rule without one.
        seeds: seeds of the trainings.
        longer: number of steps as a multiple of the study's.
    """

    method: str
    alpha: float | None
    seeds: Sequence[int]
    longer: int = 1

    @property
    def name(self) -> str:
        """Return its name in words."""
        alpha = "" if self.alpha is None else f" α={self.alpha:g}"
        return f"{self.method}{alpha}" + (f", {self.longer} × the steps" if self.longer > 1 else "")

    def cells(self, rho: float) -> list[Cell]:
        """Return its trainings."""
        return [Cell(Question(rho, self.method, t, seed), self.alpha) for seed in self.seeds for t in DOMAINS]


# At α = 0 nothing adapts: `rfmeta` is then `no_meta`, except that a domain's loss counts once for each pair.
VARIATIONS = (
    Variation("rfmeta", 0.0, (0, 1, 2)),
    Variation("rfmeta", 1.0, (0, 1, 2)),
    Variation("no_meta", None, (0,), 4),
    Variation("rfmeta", 0.1, (0,), 4),
)


def main() -> int:
    """Run what is missing. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.why", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rho", type=float, default=0.5, help="which of the study's data to use (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/study"), help="folder of the study")
    parser.add_argument(
        "--slots", type=int, help="how many trainings run at a time; one for each core if not given"
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/why.json"))
    options = parser.parse_args()

    def work() -> None:
        grid = Grid(rhos=(options.rho,), trained=("named",))
        result = explain(options.folder.resolve(), grid, Settings(), options.slots)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"rho": options.rho, **result}, indent=1, ensure_ascii=False) + "\n")
        print_json(result)

    return exit_code(work)


def explain(folder: Path, grid: Grid, settings: Settings, slots: int | None) -> dict[str, Any]:
    """Run what is missing and return all figures.

    Args:
        folder: folder of the study.
        grid: the study's grid, at one rho.
        settings: the study's settings.
        slots: how many trainings run at a time.

    Raises:
        RunError: the study at this rho is not complete.
    """
    rho = grid.rhos[0]
    if collect.to_train(grid, settings, folder) or collect.to_judge(grid, settings, folder):
        raise RunError(
            f"the study under {folder} is not complete at rho = {rho:g}, and this analysis reads its results",
            f"run python -m bench.study --rhos {rho:g} first",
        )
    tried = [Cell(Question(rho, m, t, 0), a) for m in ADAPTING for t in DOMAINS for a in ALPHAS]
    with tune.local(slots):
        _judge(tried, settings, folder)
        for variation in VARIATIONS:
            place, longer = _place(folder, variation), _settings(variation, settings)
            missing = [c for c in variation.cells(rho) if read_row(c, longer, place) is None]
            tune.run(tune.Work("train", missing, longer.steps), longer, place)
            _judge(variation.cells(rho), longer, place)
    chosen = [Cell(q, row["alpha"]) for q, row in collect.chosen_rows(grid, settings, folder).items()]
    study = {m: [cell for cell in chosen if cell.question.method == m] for m in grid.methods}
    return {
        "gradients": gradients(folder, rho, settings),
        "study": [summary(m, cells, settings, folder) for m, cells in study.items()],
        "rates": [
            summary(f"{m} α={a:g}", _at(tried, m, a), settings, folder) for m in ADAPTING for a in ALPHAS
        ],
        "hindsight": hindsight(tried, settings, folder),
        "variations": [
            summary(v.name, v.cells(rho), _settings(v, settings), _place(folder, v)) for v in VARIATIONS
        ],
        "statistics": [
            statistics(m, [cell for cell in cells if cell.question.seed == 0], settings, folder)
            for m, cells in study.items()
        ],
    }


def _judge(cells: Sequence[Cell], settings: Settings, folder: Path) -> None:
    rows = {cell: read_row(cell, settings, folder) for cell in cells}
    left = [c for c, row in rows.items() if row and "failed" not in row and not is_judged(c, folder)]
    tune.run(tune.Work("judge", left, 1), settings, folder)


def _at(cells: Sequence[Cell], method: str, alpha: float) -> list[Cell]:
    return [cell for cell in cells if (cell.question.method, cell.alpha) == (method, alpha)]


def _settings(variation: Variation, settings: Settings) -> Settings:
    return replace(settings, steps=settings.steps * variation.longer)


def _place(folder: Path, variation: Variation) -> Path:
    """Return a folder beside the study's runs that shares the study's data."""
    place = folder / "why" / f"{variation.longer}x"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "data").exists():
        (place / "data").symlink_to(folder / "data")
    return place


if __name__ == "__main__":
    sys.exit(main())
