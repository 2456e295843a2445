"""Write the table of the documentation from the benchmark's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.intervals.methods import AFTER, BEFORE

Result = Mapping[str, Any]


def markdown(result: Result) -> str:
    """Return the coverage of every figure before and after: the mean over score models, and the lowest.

    The lowest is rounded down, so that a table never says more than was measured.
    """
    sizes = result["subjects"]
    lines = [
        "| figure | " + " | ".join(f"{size} subjects" for size in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for name in result["truth"][result["models"][0]]:
        cells = [f"{_cell(result, BEFORE, name, s)} → **{_cell(result, AFTER, name, s)}**" for s in sizes]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def methods(result: Result) -> str:
    """Return the coverage of every method, over all figures but BPCER at APCER 0.01, and all score models."""
    sizes = result["subjects"]
    lines = [
        "| method | " + " | ".join(f"{size} subjects" for size in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for method, figures in result["coverage"].items():
        kept = [by_size for name, by_size in figures.items() if name != "BPCER_at_APCER 0.01"]
        cells = []
        for size in sizes:
            found = [value for by_size in kept for value in by_size[str(size)]]
            cells.append(f"{sum(found) / len(found):.1f} ({int(min(found))})")
        label = f"**{method}**" if method == AFTER else method
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(result: Result, method: str, name: str, size: int) -> str:
    found = result["coverage"][method][name][str(size)]
    return f"{sum(found) / len(found):.1f} ({int(min(found))})"
