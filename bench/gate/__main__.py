"""Measure how often the gate promotes or refuses, by simulation from stored or generated scores.

    python -m bench.gate [--times N] [--out FILE]
    python -m bench.gate --pairs a/scores.parquet b/scores.parquet [--times N] [--videos 400 800] [--out FILE]

Without `--pairs`, populations are generated (`bench.gate.generate`). With it, people are drawn from the files
of attempts, whose disagreement and design effect are printed too. The result has the percentage of decisions
for each truth (`bench.gate.simulate`) and number of videos.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from bench.gate.generate import population
from bench.gate.simulate import TRUTHS, Population, measured, verdicts
from bench.gate.table import markdown
from bench.result import give
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.retrain.pairs import Pairs

VIDEOS = (400, 800, 1600)
NEW_VIDEOS = 200
GENERATED = ((0.05, 1, 0.0), (0.10, 1, 0.0), (0.20, 1, 0.0), (0.10, 4, 0.4))


def rows(name: str, pairs: Pairs, videos: tuple[int, ...], times: int) -> list[dict[str, Any]]:
    """Return the percentage of each decision, one row for each truth and number of videos."""
    drawn_from, found = Population(pairs), []
    for truth in TRUTHS:
        for count in videos:
            rng = generator("bench", "gate", name, truth.name, count)
            counts = verdicts(drawn_from, rng, count, NEW_VIDEOS, truth, times)
            percent = {decision: round(100 * number / times, 2) for decision, number in counts.items()}
            found.append({"pairs": name, "truth": truth.name, "videos": count, **percent})
            print(found[-1], file=sys.stderr)
    return found


def measure(files: list[Path], videos: tuple[int, ...], times: int) -> dict[str, Any]:
    """Return the facts of each population, and the decisions on what is drawn from it."""
    started = time.process_time()
    if files:
        sets = {str(file): Pairs.from_parquet(file.read_bytes()) for file in files}
    else:
        sets = {
            f"{100 * share:g} %, {each} videos a person and type": population(share, each, correlation)
            for share, each, correlation in GENERATED
        }
    return {
        "times": times,
        "new_videos": NEW_VIDEOS,
        "measured": {name: measured(pairs) for name, pairs in sets.items()},
        "rows": [row for name, pairs in sets.items() for row in rows(name, pairs, videos, times)],
        "processor_seconds": round(time.process_time() - started),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="files scores.parquet of attempts")
    parser.add_argument("--times", type=int, default=1000, help="simulated retrainings for each row")
    parser.add_argument("--videos", type=int, nargs="*", default=VIDEOS, help="frozen videos of an attack type")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    result = measure(o.pairs, tuple(o.videos), o.times)
    give(result, o.out)
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
