"""Compare learning rules on generated domains: train on three or on many domains, judge on a sealed one.

    python -m bench.study                         run the whole study; run it again to resume it
    python -m bench.study --seeds 0 --rhos 0.5    run a part of it
    python -m bench.study --trained named         leave out the drawn domains
    python -m bench.study --report                write the page from the results that exist

The study generates the domains at each rho. It trains every rule on the sources of every target, which are the
other three named domains, and once on many domains drawn at random. With the first seed it tries every inner
rate; the other seeds use the rate that was best on the sources' validation splits. It then opens the targets of
the chosen trainings, and writes docs/study.md, its plots, and bench/results/study.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast, get_args

from bench.result import exit_code
from bench.study import collect, page, plots
from bench.study.data import commit, fingerprints, generate, scale_of
from bench.study.design import DOMAINS, RULES, Grid, Settings, Trained
from rfmeta_dist.cli.terminal import print_json, say
from rfmeta_dist.core.errors import ConfigError

T = TypeVar("T")


def main() -> int:
    """Run what is missing, then write the report. Return the exit code."""
    return exit_code(_study)


def _study() -> None:
    options = _parser().parse_args()
    grid = Grid(
        _each("rhos", options.rhos, float),
        _each("methods", options.methods, str),
        _each("targets", options.targets, str),
        _each("seeds", options.seeds, int),
        cast("tuple[Trained, ...]", _each("trained", options.trained, str)),  # Grid checks it
    )
    settings = Settings(**{name: getattr(options, name) for name in Settings.__dataclass_fields__})
    folder = options.folder.resolve()
    if not options.report:
        run(grid, settings, folder, options.slots)
    report(grid, settings, options)


def run(grid: Grid, settings: Settings, folder: Path, slots: int | None) -> None:
    """Do all that is missing: data, trainings, and the evaluation of each chosen training on its target."""
    scale = scale_of(settings.scale, settings.size)

    from bench.study import tune

    with tune.local(slots):
        generate(folder, grid.rhos, scale, slots, settings.drawn if "drawn" in grid.trained else 0)
        while cells := collect.to_train(grid, settings, folder):
            tune.run(tune.Work("train", cells, settings.steps), settings, folder)
        cells = collect.to_judge(grid, settings, folder)
        tune.run(tune.Work("judge", cells, 1), settings, folder)


def report(grid: Grid, settings: Settings, options: argparse.Namespace) -> None:
    """Write page, plots and JSON from the results that exist, and say how many are missing."""
    folder = options.folder.resolve()
    command = " ".join(["python -m bench.study", *(a for a in sys.argv[1:] if a != "--report")])
    data = fingerprints(folder, grid.rhos, settings.drawn)
    results = collect.collect(grid, settings, folder, command, data, commit(folder))
    beside = options.page.with_suffix("")
    names = plots.draw(results, beside)
    options.page.write_text(page.page(results, [f"{beside.name}/{name}" for name in names]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    print_json({"page": str(options.page), "results": str(options.out), "verdict": page.verdict(results)})
    if results.untrained or results.unjudged:
        say(f"still missing: {results.untrained} trainings, {results.unjudged} evaluations on targets")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rhos", default="0,0.5", help="how strongly spurious cues follow the label, each from 0 to 1"
    )
    parser.add_argument("--methods", default=",".join(RULES))
    parser.add_argument("--targets", default=",".join(DOMAINS))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--trained", default=",".join(get_args(Trained)), help="kinds of source domains")
    for name, field in Settings.__dataclass_fields__.items():
        kind = type(field.default)
        choices = ("fp32", "bf16") if name == "precision" else None
        parser.add_argument(
            f"--{name}", type=kind, default=field.default, choices=choices, help="default: %(default)s"
        )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/study"), help="where data and runs are kept, to resume from"
    )
    parser.add_argument(
        "--slots", type=int, help="how many trainings run at a time; one for each core if not given"
    )
    parser.add_argument(
        "--report", action="store_true", help="train nothing; write the page from the results that exist"
    )
    parser.add_argument(
        "--page",
        type=Path,
        default=Path("docs/study.md"),
        help="where to write the page; its plots lie beside it",
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/study.json"))
    return parser


def _each(option: str, given: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    try:
        return tuple(kind(item.strip()) for item in given.split(","))
    except ValueError:
        raise ConfigError(
            f"--{option} {given!r} is not a list of values", "separate the values by commas, as in 0,1,2"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
