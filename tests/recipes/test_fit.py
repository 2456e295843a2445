"""A recipe fits the whole objective in one process, whatever the configuration says of workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.episode.plan import work_split
from rfmeta_dist.methods import METHODS
from rfmeta_dist.models.build import start
from rfmeta_dist.recipes.api import SEALED, Context
from rfmeta_dist.recipes.gradient import GradientRecipe
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from tests.stored import SHARDS


def config(**training: Any) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {
            "prefix": str(SHARDS),
            "sources": ["O", "C", "I"],
            "target": "M",
            "image_size": 32,
            "batch": 4,
            "cache_gb": 0,
        },
        "model": {"width": 0.05},
        "training": {"steps": 3, **training},
        "evaluation": {"recalibration_batches": 1},
    }
    return check(tree, "test")


def fitted(settings: Config) -> tuple[list[float], np.ndarray]:
    """The losses, and the scores of some faces."""
    losses: list[float] = []
    context = Context.of(settings, lambda row: losses.append(row["loss"]))
    assert context.config.data.target == SEALED
    detector = GradientRecipe().fit(Sources.of(settings), context)
    faces = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    return losses, detector.score(faces)


def test_the_number_of_workers_that_a_run_would_have_changes_nothing():
    torch.set_num_threads(1)
    losses, scores = fitted(config(workers=1, strategy="single"))
    again, same = fitted(config(workers=2))
    assert len(losses) == 3
    assert again == losses
    assert np.array_equal(scores, same)


def test_work_that_is_split_for_other_workers_is_refused():
    settings = config(workers=2)
    objective = METHODS["rfmeta"](start(settings.model, 0), settings.method)
    with pytest.raises(ValueError, match=r"split for 2 worker\(s\), but the strategy has 1"):
        Trainer(objective, Single(), Adam(1e-3), work_split(settings))
