"""A run with some of the sources per episode reads in order, records the domains, and resumes exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES as METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from rfmeta_dist.training.step import Trainer
from tests.stored import SHARDS

STEPS, STOP = 7, 5  # five steps end within a cycle of three episodes
CPU = torch.device("cpu")


def configuration(method: str = "rfmeta", **training: Any) -> Config:
    data = {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "target": "M", "image_size": 32, "batch": 4}
    tree = {
        "run": {"name": "r"},
        "data": data | {"cache_gb": 0, "augmentation": {}},
        "model": {"width": 0.05},
        "method": {"name": method},
        "episode": {"domains": 2},
        "training": {"steps": STEPS, "workers": 1, "strategy": "single", "checkpoint_every": STOP, **training},
    }
    return check(tree, "test")


class Noted:
    """A source of batches that notes what was requested."""

    def __init__(self, config: Config) -> None:
        sources = Sources.of(config)
        self._batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
        self.needs: list[Need] = []

    def batch(self, need: Need) -> RawBatch:
        self.needs.append(need)
        return self._batches.batch(need)

    def prefetch(self, needs: list[Need]) -> None:
        self._batches.prefetch(needs)


def run(
    config: Config, folder: Store, progress: Progress | None = None
) -> tuple[Trainer, Progress, list[Need]]:
    """Train to the last step, from the folder's checkpoint if there is progress; keep that of step STOP."""
    trainer = build(config, Single(), CPU)
    if progress:
        checkpoint.restore(checkpoint.read(folder), trainer, ["f"])

    def keep(done: Progress) -> None:
        if done.step == STOP:
            checkpoint.save(folder, trainer, trainer.strategy.moments(), done, "f")

    source = Noted(config)
    hooks = Hooks(lambda row: None, keep, lambda *_: None)
    return trainer, train(config, trainer, source, hooks, progress or Progress(), CPU), source.needs


# Two episodes a step for a rule of pairs, one with a gather and one of several turns; for the rest, a drill.
TWICE = ("rfmeta", "ssdg", "maddg")
REST = [pytest.param(name, 2, marks=pytest.mark.drill) for name in METHODS if name not in TWICE]


@pytest.mark.parametrize(
    ("method", "episodes"), [*((name, 1) for name in METHODS), *((name, 2) for name in TWICE), *REST]
)
def test_going_on_within_a_cycle_is_bit_for_bit_the_uninterrupted_run(tmp_path: Path, method, episodes):
    config, folder = configuration(method, episodes=episodes), open_store(str(tmp_path))
    whole, done, needs = run(config, folder)
    second, again, later = run(config, folder, checkpoint.read(folder).progress)
    assert later == needs[-len(later) :]
    assert len(later) == (STEPS - STOP) * episodes * 2
    ours, reference = second.objective.nets.state_dict(), whole.objective.nets.state_dict()
    assert [name for name in reference if not torch.equal(ours[name], reference[name])] == []
    assert [row["loss"] for row in again.metrics] == [row["loss"] for row in done.metrics]


def test_a_row_names_the_domains_that_met_and_each_reads_its_stream_in_order(tmp_path: Path):
    config = configuration()
    _, done, needs = run(config, open_store(str(tmp_path)))
    asked: dict[str, list[int]] = {name: [] for name in config.data.sources}
    for row, first, last in zip(done.metrics, needs[::2], needs[1::2], strict=True):
        assert (row["domains"], row["meta_test"]) == (f"{first.domain}&{last.domain}", last.domain)
        asked[first.domain].append(first.index)
        asked[last.domain].append(last.index)
    assert all(batches == list(range(len(batches))) for batches in asked.values())
    assert all(
        4 <= len(batches) <= 6 for batches in asked.values()
    )  # of seven episodes, two cycles and one more


def test_a_domain_seldom_met_gives_the_batches_of_its_stream(tmp_path: Path):
    config = configuration()
    sources = Sources.of(config)
    batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
    *_, needs = run(config, open_store(str(tmp_path)))
    for need in needs:
        stream = DomainStream.of_run(sources.store, sources.manifests[need.domain], config.data, 0)
        given, expected = batches.batch(need), next(stream.batches(need.index))
        assert given.keys == expected.keys
        assert np.array_equal(given.image, expected.image)
