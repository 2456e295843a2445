"""Choose the inner rate on sources alone: by the mean AUC over their validation splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def source_auc(row: Mapping[str, Any], unit: str = "frame") -> float:
    """Return the mean AUC over the sources' validation splits; −1 if the training failed.

    Raises:
        ValueError: the target of the training is among the sources.
    """
    if "failed" in row:
        return -1.0
    domains: Mapping[str, float] = row["validation"][unit]
    if row["target"] in domains:  # None, of a training that serves all targets, never is
        raise ValueError(f"the target {row['target']} is among the domains on which α is chosen")
    return sum(domains.values()) / len(domains)


def choose(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row of the best α; None if all trainings failed.

    The AUC is per frame, because ties are rarer there than per video. Of equal rates, the smallest is chosen.

    Args:
        rows: one row for each α, of the same rho, rule, target and seed.
    """
    fit = [row for row in rows if "failed" not in row]
    return max(fit, key=lambda row: (source_auc(row), -(row["alpha"] or 0.0)), default=None)
