"""Build the documentation site, or renew the reference pages that are generated from the program.

python -m infra.docs reference    # write the generated pages below docs/reference
python -m infra.docs build        # build the site in build/docs; any broken link ends it with exit code 1
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from infra.docs import commands, configuration, links, python

ROOT = Path(__file__).parents[2]
REFERENCE = Path("docs/reference")


def generated() -> dict[Path, str]:
    """Return the text of each generated page, by its path below the repository."""
    return {
        REFERENCE / "cli.md": commands.page(),
        REFERENCE / "configuration.md": configuration.page(),
        REFERENCE / "configuration.schema.json": configuration.schema(),
        REFERENCE / "python.md": python.page(),
        REFERENCE / "study.md": configuration.study_page(),
        REFERENCE / "retraining.md": configuration.retraining_page(),
    }


def build(root: Path) -> list[str]:
    """Build the site of the checkout at `root` in its build/docs, and return what is wrong with it.

    Args:
        root: a folder with zensical.toml and docs/.

    Returns:
        One line for each fault: a generated page that is out of date, a broken link or anchor, an address on
        another server that a page would load. Warnings of Zensical go to stderr.
    """
    wrong = [
        f"{path} is not what the program says; renew it with: make reference"
        for path, text in generated().items()
        if (root / path).read_text(encoding="utf-8") != text
    ]
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if built.returncode:
        warnings = built.stderr.partition("Traceback")[0].strip() or built.stderr.strip()
        return [*wrong, f"Zensical did not build the site:\n{warnings}"]
    return wrong + links.faults(root / "build/docs")


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["build", "reference"])
    if parser.parse_args().what == "reference":
        for path, text in generated().items():
            (ROOT / path).write_text(text, encoding="utf-8")
        return 0
    wrong = build(ROOT)
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if not wrong:
        sys.stdout.write("the site is in build/docs; read it with: python -m http.server -d build/docs\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
