"""Measure transfer without outside data: train on one kind of recapture, judge on another.

    python -m bench.transfer                    run all of it; run it again to resume it
    python -m bench.transfer --quick            run a small one with one seed
    python -m bench.transfer --folder PREFIX    also train and judge on existing shards
    python -m bench.transfer --report           write the page from the results that exist

Seven sets of drawn domains are generated: with dots and pixels that all cameras resolve, with dots and pixels
that none resolves, as drawn, with prints alone, with replays alone, with cameras of few pixels, and with
cameras of many. The recordings of a person are the same in all sets except for that one part. Networks and
linear classifiers are trained on each set. They are judged on other people in other domains, in the same set
and in its counterpart. The results are written to docs/transfer.md and bench/results/transfer.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray

from bench.result import exit_code
from bench.study.tune import local
from bench.transfer import data, page, results, trial
from bench.transfer.design import QUICK, Settings, cells
from rfmeta_dist.cli.terminal import say
from rfmeta_dist.cluster.errors import got
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.data.shards.manifest import domains as domains_of
from rfmeta_dist.storage.store import open_store


def main() -> int:
    """Do what is missing, then write the report. Return the exit code."""
    return exit_code(_transfer)


def _transfer() -> None:
    options = _parser().parse_args()
    settings, seeds = _settings(options), _seeds(options)
    keep, given = _keep(options), _given(options.folder)
    if not options.report:
        run(settings, seeds, keep, given, options.slots)
    found = results.collect(settings, seeds, keep, given)
    for path in (options.out, options.page):
        path.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    options.page.write_text(page.page(found))
    say(f"{options.page} and {options.out} are written")


def run(settings: Settings, seeds: Sequence[int], keep: Path, given: str | None, slots: int | None) -> None:
    """Make the sets and train the cells that are missing, one on each CPU.

    Args:
        settings: what all trainings have in common.
        seeds: seeds of the networks.
        keep: folder of data and trainings.
        given: prefix of existing shards, if any.
        slots: how many run at a time; one for each core if not given.

    Raises:
        RunError: existing data or trainings were made with other settings.
        DataError: the given shards are damaged, too small or lack a class.
    """
    names = [name for group in data.domains(settings) for name in group]
    unmade = [name for name in names if data.missing(name, settings, keep)]
    every = cells(tuple(seeds), given=given is not None)
    left = [cell for cell in every if trial.done(cell, settings, keep, given) != cell.judged]
    if not unmade and not left:
        return
    with local(slots):
        _each("domains", data.make, [(name, settings, keep) for name in unmade])
        _each("trainings", trial.run, [(cell, settings, keep, given) for cell in left])


def _each(what: str, function: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    """Call a function once for each tuple of arguments, as Ray tasks."""
    task = ray.remote(function)
    waiting = [task.remote(*given) for given in arguments]
    while waiting:
        (done,), waiting = ray.wait(waiting)
        got(done)
        say(f"transfer: {len(arguments) - len(waiting)} of {len(arguments)} {what} done")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.transfer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="use fewer domains, people and steps, and one seed"
    )
    for name, field in Settings.__dataclass_fields__.items():
        kind, choices = type(field.default), ("fp32", "bf16") if name == "precision" else None
        words = f"default: {field.default}" + (f", quick: {QUICK[name]}" if name in QUICK else "")
        parser.add_argument(f"--{name}", type=kind, choices=choices, help=words)
    parser.add_argument("--seeds", help="seeds of the networks; default: 0,1,2, quick: 0")
    parser.add_argument("--folder", help="prefix of existing shards, to train and judge on as a further set")
    parser.add_argument(
        "--keep",
        type=Path,
        help="where data and trainings are kept; default: runs/transfer, quick: runs/transfer-quick",
    )
    parser.add_argument(
        "--slots", type=int, help="how many trainings run at a time; one for each core if not given"
    )
    parser.add_argument(
        "--report", action="store_true", help="train nothing; write the page from the results that exist"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/transfer.md"))
    parser.add_argument("--out", type=Path, default=Path("bench/results/transfer.json"))
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    chosen = {name: getattr(options, name) for name in Settings.__dataclass_fields__}
    own = {name: value for name, value in chosen.items() if value is not None}
    return Settings(**((dict(QUICK) if options.quick else {}) | own))


def _seeds(options: argparse.Namespace) -> tuple[int, ...]:
    given = options.seeds or ("0" if options.quick else "0,1,2")
    try:
        return tuple(int(item) for item in given.split(","))
    except ValueError:
        raise ConfigError(
            f"--seeds {given!r} is not a list of numbers", "separate whole numbers by commas: 0,1,2"
        ) from None


def _keep(options: argparse.Namespace) -> Path:
    keep: Path = options.keep or Path("runs/transfer-quick" if options.quick else "runs/transfer")
    return keep.resolve()


def _given(folder: str | None) -> str | None:
    """Return the URL of the given shards, which at least two domains must be in."""
    if folder is None:
        return None
    url = folder if "://" in folder else str(Path(folder).resolve())
    if len(found := domains_of(open_store(url))) < 2:
        raise ConfigError(
            f"--folder {folder} holds {len(found)} domains, but training needs at least two",
            "give a prefix with several domains, such as `rfmeta synth` writes",
        )
    return url


if __name__ == "__main__":
    sys.exit(main())
