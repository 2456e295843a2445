"""Measure how often 95 % intervals contain the true figure, by simulation on clustered scores.

    python -m bench.intervals [--sets N] [--resamples N] [--out FILE]

For each score model (`bench.intervals.model`) and number of subjects, sets of scores are drawn, of which the
true figures are known. Each method makes an interval for each figure of each set, and the result is the
percentage of sets whose interval holds the truth. For a fixed threshold, the truth is the population's rate.
The truth of `oracle_EER`, `BPCER_at_APCER` and `optimism_gap` is what the oracle's threshold of the whole
population would give. The estimates of these figures are biased, because they choose the threshold on the
sample.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from bench.intervals.methods import METHODS
from bench.intervals.model import MODELS
from bench.intervals.simulate import BATCH, coverage, truth
from bench.intervals.table import markdown, methods
from bench.result import give

SUBJECTS = (20, 35, 55, 100)


def measure(sets: int, resamples: int) -> dict[str, Any]:
    """Return coverage in percent, and mean width, by method, figure, number of subjects and score model."""
    started, names = time.process_time(), list(truth(MODELS[0]))
    found = {}
    for model in MODELS:
        for n in SUBJECTS:
            found[model.name, n] = coverage(model, n, sets, resamples)
            print(f"{model.name}: {n} subjects after {time.process_time() - started:.0f} s", file=sys.stderr)

    def table(which: int, scale: int, digits: int) -> dict[str, Any]:
        return {
            method: {
                name: {
                    str(n): [round(scale * found[m.name, n][method][name][which], digits) for m in MODELS]
                    for n in SUBJECTS
                }
                for name in names
                if name in found[MODELS[0].name, SUBJECTS[0]][method]
            }
            for method in METHODS
        }

    return {
        "level": 95,
        "sets": sets,
        "resamples": resamples,
        "subjects": list(SUBJECTS),
        "models": [model.name for model in MODELS],
        "truth": {m.name: {name: round(v, 5) for name, v in truth(m).items()} for m in MODELS},
        "coverage": table(0, 100, 2),
        "width": table(1, 1, 4),
        "processor_seconds": round(time.process_time() - started),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000, help=f"sets of each kind, a multiple of {BATCH}")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    result = measure(max(BATCH, o.sets // BATCH * BATCH), o.resamples)
    give(result, o.out)
    print(markdown(result), methods(result), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
