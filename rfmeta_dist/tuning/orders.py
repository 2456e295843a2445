"""Define an order: one stretch of a training that a study wants to be done, and the figures it is to give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rfmeta_dist.config.schema import Config


@dataclass(frozen=True)
class Order:
    """One stretch of a training: train on to a step, and judge the model there.

    Attributes:
        config: configuration of the training, whose run is named by content. `training.steps` is its planned
            end, on which the learning rate's decay depends.
        until: the step to train to, at most `training.steps`. The training may go on later.
        figures: name of each figure's object below the study's `folder`, by the domain on which the model is
            judged, or `results.SOURCES`.
    """

    config: Config
    until: int
    figures: Mapping[str, str]
