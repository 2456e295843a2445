"""Define the interface of a recipe, which is code that fits a detector, and what a recipe is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.api import Detector

SEALED = "sealed"  # stands for the target's name in the configuration that a recipe is given


@dataclass(frozen=True)
class Context:
    """What a recipe is given beside the source domains.

    Attributes:
        config: configuration of the run. `config.data.target` is `SEALED`, with or without a target, so that a
            recipe cannot open the target's data, and fits the same detector for every target.
        after_step: a function that the recipe calls after each of its training steps, in the process that fits,
            with the row of that step: `step` (from 0), `seconds`, and, unless the step was skipped, `loss` and
            its parts. A recipe without training steps never calls it.
    """

    config: Config
    after_step: Callable[[StepRow], None]

    @classmethod
    def of(cls, config: Config, after_step: Callable[[StepRow], None] = lambda _: None) -> Context:
        """Return the context of a run, with `SEALED` in place of the target's name.

        Args:
            config: configuration of the run; it is not changed.
            after_step: as in `Context`; nothing is done with the rows if it is not given.
        """
        data = config.data.model_copy(update={"target": SEALED})
        return cls(config.model_copy(update={"data": data}), after_step)


class Recipe(Protocol):
    """Code that fits a detector to the source domains, such as `GradientRecipe` and `FeatureRecipe`."""

    def fit(self, sources: Sources, context: Context) -> Detector:
        """Fit a detector to the sources' training splits, and return it.

        Args:
            sources: the source domains. They contain no data of the target.
            context: the run's configuration, and the function to call after each training step.

        Raises:
            DataError: a source is damaged or has samples of one class only.
            RunError: the training failed.
        """
        ...
