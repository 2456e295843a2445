"""Define how a study proposes candidates, when it stops them early, and what it may spend."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from rfmeta_dist.config.section import Section

MOST_CANDIDATES = 10_000
Seed = Annotated[int, Field(ge=0, lt=2**31)]
LEARNED = ("tpe", "gp")


class Search(Section):
    """How candidates are proposed, and when the worse ones stop."""

    kind: Literal["random", "sobol", "grid", "tpe", "gp"] = Field(
        "sobol",
        description="draw points of the space at random (random), spread them evenly (sobol), take all "
        "combinations of values (grid); or learn from the target's own scores, by a tree-structured Parzen "
        "estimator (tpe) or a Gaussian process (gp). All targets share the candidates of the first three",
    )
    candidates: int | None = Field(
        None,
        ge=1,
        le=MOST_CANDIDATES,
        description="number of configurations to compare; the first is the base. 16 if not given, or all "
        "combinations of a grid. More can be asked for later: the earlier ones stay the same",
    )
    seed: Seed = Field(0, description="seed of the proposals; a grid does not use it")
    points: tuple[Mapping[str, Any], ...] = Field(
        (),
        description="configurations to try first, after the base: field → value, with fields and values of "
        "`space`. A field that a point does not set is as in the base",
    )
    startup: int = Field(
        8,
        ge=1,
        le=MOST_CANDIDATES,
        description="number of first candidates of tpe and gp that do not depend on scores, rounded up to "
        "whole cohorts: the base, `points`, and others spread evenly. All targets share them",
    )
    batch: int = Field(
        4,
        ge=1,
        le=MOST_CANDIDATES,
        description="candidates of a cohort: they are compared with each other at each rung, and tpe and gp "
        "propose them together. Take a multiple of it for `candidates`",
    )
    rungs: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (),
        description="steps at which the candidates of a cohort are compared and the worse ones stop, such as "
        "[50, 100]; none are stopped if not given",
    )
    keep: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of a cohort's candidates that train on after a rung, rounded up; the base always "
        "does",
    )

    @property
    def learns(self) -> bool:
        """Return True if proposals depend on scores, so that each target has candidates of its own."""
        return self.kind in LEARNED

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(rungs)):
            raise ValueError("the steps do not rise; write them from the first to the last, each once")
        return rungs


class Budget(Section):
    """What a study may spend. The number of candidates is lowered until the study needs no more."""

    trainings: int | None = Field(
        None, ge=1, description="most trainings that may be begun, for all targets together"
    )
    steps: int | None = Field(
        None,
        ge=1,
        description="most training steps, for all targets together; counted as if the targets stopped as "
        "different candidates as possible",
    )
    hours: float | None = Field(
        None,
        gt=0,
        description="no new cohort is begun after so many hours of searching, for any target. The choice then "
        "depends on how fast the machines were",
    )
