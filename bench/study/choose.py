"""The inner rate is chosen on sources alone: by the mean AUC over their validation splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def source_auc(row: Mapping[str, Any], unit: str = "frame") -> float:
    """Mean over the source domains of the AUC on each one's validation split; −1 of a failed training."""
    if "failed" in row:
        return -1.0
    domains: Mapping[str, float] = row["validation"][unit]
    if row["target"] in domains:  # None, of a training that serves all targets, never is
        raise ValueError(f"the target {row['target']} is among the domains on which α is chosen")
    return sum(domains.values()) / len(domains)


def choose(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row of the best α, None if all trainings failed.

    Per frame, since a tie is rarer there than per video; of equals, the smallest α.

    Args:
        rows: one an α, of the same rho, rule, target and seed.
    """
    fit = [row for row in rows if "failed" not in row]
    return max(fit, key=lambda row: (source_auc(row), -(row["alpha"] or 0.0)), default=None)
