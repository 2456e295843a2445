"""Define the interface of a recipe, and the settings that a recipe gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.api import Detector

SEALED = "sealed"  # replaces the target's name


@dataclass(frozen=True)
class Context:
    """The settings that a recipe gets.

    Attributes:
        config: configuration of the run, without the name of its target.
        after_step: called with the row of each training step.
    """

    config: Config
    after_step: Callable[[StepRow], None]

    @classmethod
    def of(cls, config: Config, after_step: Callable[[StepRow], None] = lambda _: None) -> Context:
        """Make the context of a run, without the name of its target."""
        data = config.data.model_copy(update={"target": SEALED})
        return cls(config.model_copy(update={"data": data}), after_step)


class Recipe(Protocol):
    """Fits a detector to the source domains."""

    def fit(self, sources: Sources, context: Context) -> Detector:
        """Fit a detector to the sources' training splits, and return it.

        Raises:
            DataError: a source is damaged or has samples of one class only.
            RunError: the training failed.
        """
        ...
