"""Checkpoints are written at the right steps, also by a resumed run, and the right ones are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint, kept
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from tests.stored import SHARDS

CPU = torch.device("cpu")


def configuration(steps: int, every: int) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {"prefix": str(SHARDS), "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 2},
        "model": {"width": 0.03},
        "training": {"steps": steps, "checkpoint_every": every, "workers": 1, "strategy": "single"},
    }
    return check({**tree, "method": {"name": "no_depth"}}, "test")


def written(config: Config, folder: Store, stop: int | None = None) -> list[int]:
    """Train from the newest checkpoint until `stop`, as a worker does; return the steps with a checkpoint."""
    sources, trainer = Sources.of(config), build(config, Single(), CPU)
    found, steps = kept.newest(folder), []
    progress = checkpoint.restore(found.saved, trainer, ["f"]) if found.saved else Progress()

    def save(done: Progress) -> None:
        steps.append(done.step)
        place = folder.sub(kept.folder_name(done.step))
        checkpoint.save(place, trainer, trainer.strategy.moments(), done, "f")
        kept.prune(folder, done.step, 2)

    def after_step(row: dict) -> None:
        if row["step"] == stop:
            raise KeyboardInterrupt

    hooks = Hooks(after_step, save, lambda *_: None)
    batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
    try:
        train(config, trainer, batches, hooks, progress, CPU)
    except KeyboardInterrupt:
        assert stop is not None
    return steps


@pytest.mark.parametrize(
    ("steps", "every", "due", "left"),
    [
        (7, 3, [3, 6, 7], [6, 7]),
        (6, 3, [3, 6], [3, 6]),
        (3, 100, [3], [3]),
        (4, 1, [1, 2, 3, 4], [3, 4]),
    ],
)
def test_every_so_many_steps_and_the_last_have_a_checkpoint_and_the_newest_two_stay(
    tmp_path: Path, steps: int, every: int, due: list[int], left: list[int]
) -> None:
    folder = open_store(str(tmp_path))
    assert written(configuration(steps, every), folder) == due
    assert kept.steps(folder) == left
    newest = kept.newest(folder).saved
    assert newest is not None
    assert [row["step"] for row in newest.progress.metrics] == list(range(steps))


def test_a_run_that_goes_on_counts_from_its_first_step(tmp_path: Path) -> None:
    folder = open_store(str(tmp_path))
    assert written(configuration(8, 2), folder, stop=3) == [2]
    assert written(configuration(8, 3), folder) == [3, 6, 8]
    assert kept.steps(folder) == [6, 8]
