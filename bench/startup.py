"""Measure how long the command line takes to answer, relative to a bare interpreter in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import time

CASES = {
    "python -c pass": ["-c", "pass"],
    "import rfmeta_dist.cli.app": ["-c", "import rfmeta_dist.cli.app"],
    "rfmeta --help": ["-c", "import sys; sys.argv[1:] = ['--help']; from rfmeta_dist.cli import main; main()"],
}
ROUNDS = 7


def main() -> None:
    """Time every case in turn over several rounds, and print the medians."""
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, arguments in CASES.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - started)
    median = {name: sorted(values)[ROUNDS // 2] for name, values in seconds.items()}
    bare = median["python -c pass"]
    result = {name: {"seconds": round(s, 3), "ratio": round(s / bare, 1)} for name, s in median.items()}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
