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
    target_split: Literal["all", "train", "validation", "test"] = Field(
        "all", description="part of the target domain to judge on"
    )
    protocol: Literal["leave-one-out", "limited-source"] = Field(
        "leave-one-out",
        description="runs that `rfmeta leave-one-out` makes of the domains: for each target one run with all "
        "other domains as sources (leave-one-out), or a run for every two others (limited-source)",
    )
