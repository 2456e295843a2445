"""A process in which some modules are not installed, as in an installation without some extras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rfmeta_dist.core.extras import BROUGHT_ALONG, EXTRAS

ROOT = Path(__file__).parents[1]
WITHOUT = """
import sys
blocked = set(sys.argv[1].split(","))
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Finder())
"""
MAIN = "sys.argv = ['rfmeta', *sys.argv[2:]]\nfrom rfmeta_dist.cli import main\nmain()"


def without(modules: set[str], code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a new process in which some modules are not installed."""
    command = [sys.executable, "-c", WITHOUT + code, ",".join(sorted(modules)), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)


def rfmeta(modules: set[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of rfmeta in such a process."""
    return without(modules, MAIN, *arguments)


def absent(*extras: str) -> set[str]:
    """Return all modules of the extras that an installation with these extras lacks."""
    present = {m for extra in extras for m in EXTRAS[extra]}
    along = {m for m, extra in BROUGHT_ALONG.items() if extra not in extras}
    return ({m for modules in EXTRAS.values() for m in modules} | along) - present
