"""Write the table of the documentation from the benchmark's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.retrain.decisions import OWN
from rfmeta_dist.retrain.pairs import FROZEN

DECISIONS = ("promoted", "refused", "undecided")


def markdown(result: Mapping[str, Any]) -> str:
    """Return promoted / refused / undecided in percent: a line for each population and truth.

    A population is named by the mean disagreement and design effect of its frozen attack types.
    """
    sizes = sorted({row["videos"] for row in result["rows"]})
    lines = [
        "| disagreement, design effect | truth | "
        + " | ".join(f"{size} videos a type" for size in sizes)
        + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    lines_of: dict[tuple[str, str], dict[int, str]] = {}
    for row in result["rows"]:
        cell = " / ".join(f"{row.get(decision, 0):.1f}" for decision in DECISIONS)
        lines_of.setdefault((row["pairs"], row["truth"]), {})[row["videos"]] = cell
    for (pairs, truth), cells in lines_of.items():
        lines.append(
            f"| {_name(result['measured'][pairs])} | {truth} | "
            + " | ".join(cells.get(size, "") for size in sizes)
            + " |"
        )
    return "\n".join(lines) + "\n"


def _name(measured: Sequence[Mapping[str, Any]]) -> str:
    attacks = [row for row in measured if row["part"] == FROZEN and row["at"] == OWN and row["type"] != LIVE]
    disagreement, effect = (
        sum(row[name] for row in attacks) / len(attacks) for name in ("disagreement", "design_effect")
    )
    return f"{disagreement:.0f} %, {effect:.1f}"
