"""Convert results of scoring to fields for JSON, the same in `rfmeta score --json` and `rfmeta serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rfmeta_dist.deploy.results import Decision, Result


def outcome(result: Result) -> dict[str, Any]:
    """Return the fields of one picture or frame, as docs/reference/scores.md describes them."""
    box = None if result.box is None else {k: round(v, 1) for k, v in result.box._asdict().items()}
    told: dict[str, Any]
    if result.verdict == "refused":
        told = {"score": None, "verdict": result.verdict, "reason": result.reason, "words": result.words}
    else:
        told = {"score": result.score, "verdict": result.verdict, **rule(result.decision)}
    return {**told, "box": box, "turned": result.turned}


def rule(decision: Decision) -> dict[str, Any]:
    """Return the threshold that makes the verdict, its name and its origin."""
    return {
        "threshold": decision.threshold,
        "operating_point": decision.operating_point,
        "origin": decision.origin,
    }
