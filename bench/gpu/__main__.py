"""Prove and time the engine on one GPU in at most eight minutes, without Ray.

    python -m bench.gpu --device cuda --out gpu.json           # or: make gpu
    python -m bench.gpu --device cpu --tiny --out tiny.json    # tests the script itself, in under a minute

It needs torch, numpy, safetensors, pydantic and this repository. Each section runs in a process of its own. A
section that fails, hangs or finds no time is named with its reason, and the others go on; the result is
written after each section. The exit code is 1 if a section failed or its time was over, 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.gpu import card, exact, feeding, resume, steps, table
from bench.gpu.sections import Outcome, Section, run_all
from bench.gpu.settings import settings
from rfmeta_dist.core.errors import RfmetaError, StorageError

SECTIONS = (
    Section("card", card.describe, least=10, most=40),
    Section("golden", exact.figures, least=20, most=90),
    Section("certificate", exact.certified, least=20, most=60),
    Section("workers", exact.workers, least=30, most=90),
    Section("step", steps.compared, least=60, most=180),
    Section("deterministic", steps.switched, least=30, most=90),
    Section("input", feeding.fed, least=10, most=30),
    Section("resume", resume.resumed, least=40, most=120),
)


def main() -> int:
    """Run the sections and print the tables. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small enough for a CPU; no figure of speed counts")
    parser.add_argument("--minutes", type=float, default=8.0, help="time for all sections (default: 8)")
    parser.add_argument("--only", nargs="+", choices=[s.name for s in SECTIONS], help="sections to run")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the result")
    options = parser.parse_args()
    if not 0 < options.minutes < 1e4:
        parser.error(f"--minutes {options.minutes:g} is not a number of minutes above 0")
    try:
        card.require(options.device)
        return measure(options)
    except RfmetaError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"interrupted; the sections that were done are in {options.out}", file=sys.stderr)
        return 130


def measure(options: argparse.Namespace) -> int:
    """Run the sections, write the result after each of them, and return the exit code.

    Raises:
        StorageError: the result cannot be written.
    """
    chosen = settings(options.device, tiny=options.tiny)

    def write(done: dict[str, Outcome]) -> None:
        try:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(table.result(done, chosen), indent=1) + "\n")
        except OSError as error:
            raise StorageError(
                f"{options.out} cannot be written: {error.strerror}", "give another file with --out"
            ) from error

    write({})  # a file that cannot be written is found before the work, not after it
    sections = [s for s in SECTIONS if options.only is None or s.name in options.only]
    outcomes = run_all(sections, chosen, 60 * options.minutes, write)
    print(table.markdown(table.result(outcomes, chosen)))
    return int(any(outcome.status in ("failed", "ended") for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
