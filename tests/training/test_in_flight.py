"""The loop holds the batches of no more steps than the object store has room for."""

from __future__ import annotations

import weakref
from collections import Counter

import numpy as np
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.episode.plan import IN_FLIGHT, PREFETCH, Need
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train


class Counted:
    """A source of noise that counts the batches that are requested or still held, by step."""

    def __init__(self) -> None:
        self.alive: Counter[int] = Counter()

    def prefetch(self, needs: list[Need]) -> None:
        self.alive.update(need.index for need in needs)

    def batch(self, need: Need) -> RawBatch:
        image = np.random.default_rng(need.index).integers(0, 256, (4, 32, 32, 3), np.uint8)
        label = np.array([1, 1, 0, 0], np.float32)
        raw = RawBatch(image, np.zeros((4, 4, 4), np.uint8), label, ("a", "b", "c", "d")).rows(need.rows)
        weakref.finalize(raw, self.alive.subtract, [need.index])
        return raw


def test_steps_in_flight():
    config = check(
        {
            "run": {"name": "r"},
            "data": {"prefix": "x", "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 4},
            "model": {"width": 0.05},
            "training": {"steps": 12, "workers": 1, "strategy": "single"},
        },
        "test",
    )
    source, seen = Counted(), []
    hooks = Hooks(lambda _: seen.append(sum(n > 0 for n in source.alive.values())), lambda _: None, print)
    device = torch.device("cpu")
    train(config, build(config, Single(), device), source, hooks, Progress(), device)
    assert PREFETCH + 1 <= max(seen) <= IN_FLIGHT
    assert seen[-1] == 1
