"""Check whether the loss fell during a training."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rfmeta_dist.config.phases import ends
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import StepRow

FEWEST = 20  # with fewer steps, the noise between batches is larger than the trend, and nothing is said
PART = 10  # the first tenth of the steps is compared with the last tenth
LOWER = 0.95  # the loss counts as lower if it ends below this fraction; a smaller fall may be noise


def of_run(config: Config, rows: Sequence[StepRow]) -> str:
    """Return `no_better` of a run's last phase, because phases have different losses.

    It is empty for a method whose step has several turns. There one turn's loss is what another one works
    against, so their sum need not fall.

    Args:
        config: the run's.
        rows: one row for each of its steps.
    """
    begun = (0, *ends(config))[-2]
    return no_better(rows[begun:]) if config.method.facts.turns == 1 else ""


def no_better(rows: Sequence[StepRow]) -> str:
    """Return a line for people if the loss ends less than 5 % below its beginning, else an empty string.

    The medians of the first and last tenth are compared, because one bad batch hardly changes a median. If the
    loss of the first step is lower than the first median, it is used instead: in a run that diverges at once,
    the first tenth is high already, but no update has changed the first loss.

    Args:
        rows: one row for each step (training/loop.py); skipped steps have no loss and are left out.
    """
    losses = [row["loss"] for row in rows if "loss" in row]
    if len(losses) < FEWEST:
        return ""
    part = len(losses) // PART
    began, ends = min(losses[0], median(losses[:part])), median(losses[-part:])
    if ends < LOWER * began:
        return ""
    return (
        f"the loss has not fallen by 5 %: {began:.4g} at first, {ends:.4g} in the last {part} steps. The "
        "training has diverged or learnt nothing. In a new run lower training.learning_rate or "
        "method.inner_learning_rate, or train for more steps"
    )
