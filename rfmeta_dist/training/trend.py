"""Tell from the losses whether a training has improved anything."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rfmeta_dist.core.types import StepRow

FEWEST = 20  # steps below which the noise between batches says more than the trend
PART = 10  # the first and the last tenth are compared
LOWER = 0.95  # of the beginning, at most, is lower; less than that is noise between batches


def no_better(rows: Sequence[StepRow]) -> str:
    """Return a line for people if the loss ends no lower than it began; an empty one if it does end lower.

    Compared are medians, which a single bad batch does not move. The first step counts as the beginning too,
    because no update has touched its loss: in a run that diverges at once the first tenth is high already.

    Args:
        rows: one a step (training/loop.py); skipped steps have no loss and are left out.
    """
    losses = [row["loss"] for row in rows if "loss" in row]
    if len(losses) < FEWEST:
        return ""
    part = len(losses) // PART
    began, ends = min(losses[0], median(losses[:part])), median(losses[-part:])
    if ends < LOWER * began:
        return ""
    return (
        f"the loss ends no lower than it began: {began:.4g} at first, {ends:.4g} in the last {part} steps. The "
        "training has diverged or learnt nothing. In a new run lower training.learning_rate or "
        "method.inner_learning_rate, or train for more steps"
    )
