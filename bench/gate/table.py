"""Write the table of the documentation from the benchmark's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DECISIONS = ("promoted", "refused", "undecided")


def markdown(result: Mapping[str, Any]) -> str:
    """Return promoted / refused / undecided in percent: a line for each population and truth."""
    sizes = sorted({row["videos"] for row in result["rows"]})
    lines = [
        "| disagreement | truth | " + " | ".join(f"{size} videos a type" for size in sizes) + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    lines_of: dict[tuple[str, str], dict[int, str]] = {}
    for row in result["rows"]:
        cell = " / ".join(f"{row.get(decision, 0):g}" for decision in DECISIONS)
        lines_of.setdefault((row["pairs"], row["truth"]), {})[row["videos"]] = cell
    for (pairs, truth), cells in lines_of.items():
        lines.append(f"| {pairs} | {truth} | " + " | ".join(cells.get(size, "") for size in sizes) + " |")
    return "\n".join(lines) + "\n"
