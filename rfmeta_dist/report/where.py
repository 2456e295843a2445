"""Put the error rates by device, session and other facts into rows and sentences for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 10  # rows that are shown; the others are folded
_WHY = {
    "one person": "{rates} rates of “{attribute}” are left out, because each would describe a single person",
    "many values": "“{attribute}” has many values: {rates} rates of those with the fewest people are left out",
}


def where(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the section "Where it fails" shows, from the figures per video.

    Args:
        figures: `figures` of evaluation.json.

    Returns:
        `first` and `folded`, the rows of the table, worst first; `worse`, how many of them are worse than the
        whole; `compared`, `few` and `level` as in `slices.compute`; and `notes`, sentences about what is not
        shown. None if nothing is known about the recordings, as in evaluations by earlier versions.
    """
    found = figures["video"].get("slices")
    if not found:
        return None
    rows = [row | {"what": _what(row), "ends": _ends(row)} for row in found["rows"]]
    notes = [_WHY[left["why"]].format(**left) + f" ({left['recordings']} videos)" for left in found["left_out"]]
    notes += [f"“{name}” is not known of {count} videos" for name, count in found["unknown"].items()]
    return {
        "first": rows[:SHOWN],
        "folded": rows[SHOWN:],
        "worse": sum(row["worse"] for row in rows),
        "compared": found["compared"],
        "few": found["few"],
        "level": found["level"],
        "notes": notes,
    }


def _what(row: Mapping[str, Any]) -> str:
    return "live rejected" if row["rate"] == "BPCER" else f"attacks accepted: {row['type']}"


def _ends(row: Mapping[str, Any]) -> dict[str, float]:
    """Return a row's rate in the form that the figures of a run have."""
    return {"value": row["point"], "low": row["low"], "high": row["high"]}
