"""Write docs/search.md and bench/results/search.json from a study that was searched and compared.

rfmeta tune bench/search/study.yaml             the search
rfmeta tune regret runs/search/small            what the targets' own labels say
python -m bench.search runs/search/small        the page
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.result import exit_code
from bench.search import page
from bench.search.collect import collect
from rfmeta_dist.cli.terminal import say

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Write the page. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="the study's folder")
    folder = parser.parse_args().folder
    return exit_code(lambda: write(folder))


def write(folder: str) -> None:
    """Write the figures of a study, and the page with them."""
    found = collect(folder)
    results = ROOT / "bench/results/search.json"
    results.write_text(json.dumps(found, indent=1) + "\n")
    (ROOT / "docs/search.md").write_text(page.render(found))
    say("wrote bench/results/search.json and docs/search.md")


if __name__ == "__main__":
    sys.exit(main())
