"""Compare the error rates of two versions, from the verdicts of the attempts that made them."""

from __future__ import annotations

from typing import Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.retrain.approval import attempt_of
from rfmeta_dist.retrain.registering import VERDICT
from rfmeta_dist.retrain.registry import Version


def compared(a: Version, b: Version) -> dict[str, Any]:
    """Return the error rates of two versions at their own thresholds.

    If one was judged against the other, both rates are of the same videos. Otherwise each rate is from the
    verdict of its version, and the sets of videos differ.

    Returns:
        `rates` (rows with `part`, `type`, `rate`, `a` and `b`; a fraction, or None if it is not known),
        `same_videos`, and `note`, which says in words what was compared.

    Raises:
        RunError: neither version was compared with another one, or a verdict is damaged.
        StorageError: a verdict cannot be read.
    """
    verdicts = {"a": _verdict(a), "b": _verdict(b)}
    pairs = (("a", a, "b", b), ("b", b, "a", a))
    for newer, version, older, other in pairs:
        verdict = verdicts[newer]
        if verdict and verdict["packages"]["champion"] == other.tags.get("package"):
            sides = {newer: "challenger", older: "champion"}
            rates = [{**_kind(row), **{s: row[sides[s]] for s in "ab"}} for row in verdict["rates"]]
            note = (
                f"version {version.number} was judged against version {other.number}: the videos are the same"
            )
            return {"rates": rates, "same_videos": True, "note": note}
    if not any(verdicts.values()):
        raise RunError(
            f"neither version {a.number} nor version {b.number} was compared with another version",
            "compare versions that rfmeta retrain has judged",
        )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for side, verdict in verdicts.items():
        for row in (verdict or {"rates": ()})["rates"]:
            place = found.setdefault((row["part"], row["type"]), {**_kind(row), "a": None, "b": None})
            place[side] = row["challenger"]
    note = "neither was judged against the other: each rate is of the videos that its version was judged on"
    return {"rates": list(found.values()), "same_videos": False, "note": note}


def _verdict(version: Version) -> dict[str, Any] | None:
    attempt = attempt_of(version)
    return attempt.read(VERDICT) if attempt else None


def _kind(row: dict[str, Any]) -> dict[str, str]:
    return {name: row[name] for name in ("part", "type", "rate")}
