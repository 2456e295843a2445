"""Define the section of the configuration about how a model is judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rfmeta_dist.config.section import Section


class Evaluation(Section):
    """How the trained model is judged."""

    recalibration_batches: int = Field(
        10,
        ge=1,
        le=100_000,
        description="batches of each source domain from which the final batch-norm statistics are computed",
    )
    checkpoint: Literal["last", "best", "average"] = Field(
        "last",
        description="what becomes the model: the weights of the last step; those of the candidate with the "
        "lowest equal error rate per video on the sources' validation splits (best); or the average of the "
        "weights that training.average asks for. The target has no part in it",
    )
    candidates: int = Field(
        1,
        ge=1,
        le=1000,
        description="how many of the last checkpoints are judged. The report says how much they differ on the "
        "target, and how far the chosen one is from the best",
    )
    target_split: Literal["all", "train", "validation", "test"] = Field(
        "all", description="part of the target domain to judge on"
    )
    protocol: Literal["leave-one-out", "limited-source"] = Field(
        "leave-one-out",
        description="runs that `rfmeta leave-one-out` makes of the domains: for each target one run with all "
        "other domains as sources (leave-one-out), or a run for every two others (limited-source)",
    )


def require_candidates(evaluation: Evaluation, keep: int, average: float | None) -> None:
    """Check that a run has the candidates among which its model is chosen.

    Args:
        evaluation: how the model is judged.
        keep: number of checkpoints that the run keeps.
        average: decay of the average of the weights; None if the run has none.

    Raises:
        ValueError: it has not.
    """
    if evaluation.candidates > keep:
        raise ValueError(
            f"evaluation.candidates={evaluation.candidates}, but a run keeps training.keep={keep} checkpoints; "
            f"set training.keep to {evaluation.candidates} or more"
        )
    if evaluation.checkpoint == "average" and average is None:
        raise ValueError(
            "evaluation.checkpoint is average, but the run keeps no average of its weights; "
            "set training.average, for instance to 0.99, or set evaluation.checkpoint=last"
        )
    if evaluation.checkpoint == "best" and evaluation.candidates == 1 and average is None:
        raise ValueError(
            "evaluation.checkpoint is best, but there is only one candidate; "
            "set evaluation.candidates=5 and training.keep=5, or set evaluation.checkpoint=last"
        )
