"""A run goes on from each checkpoint to the same bits, whatever phases and optimisers its method has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import Course, ends, phase_of, train_phases
from rfmeta_dist.training.kept import folder_name
from rfmeta_dist.training.loop import Hooks
from tests.stored import SHARDS

CPU = torch.device("cpu")
STEPS = 4
State = dict[str, Tensor]


def configuration(method: str) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {
            "prefix": str(SHARDS),
            "sources": ["O", "C", "I"],
            "target": "M",
            "image_size": 32,
            "batch": 2,
        },
        "model": {"width": 0.03},
        "training": {"steps": STEPS, "checkpoint_every": 1, "workers": 1, "strategy": "single"},
    }
    return check({**tree, "method": {"name": method}}, "test")


@cache
def sources() -> Sources:
    return Sources.of(configuration("rfmeta"))


def trained(config: Config, folder: Store, saved: checkpoint.Saved | None) -> tuple[State, list[float]]:
    """Train as a worker does, from a checkpoint if there is one; return the whole state and all losses."""
    course, progress = Course(config, Single, CPU), Progress()
    if saved:
        if phase := phase_of(config, saved.progress.step - 1):
            course.enter(phase)
        progress = checkpoint.restore(saved, course.trainer, ["f"])

    def save(done: Progress) -> None:
        place = folder.sub(folder_name(done.step))
        checkpoint.save(place, course.trainer, course.trainer.strategy.moments(), done, "f")

    rows: list[StepRow] = []
    batches = LocalBatches(sources().store, sources().manifests, config.data, config.training.seed)
    hooks = Hooks(rows.append, save, lambda *_: None)
    done = train_phases(config, course, batches, hooks, progress, CPU)
    assert done.step == STEPS
    state = course.trainer.objective.nets.state_dict() | course.trainer.strategy.moments()
    return {name: tensor.clone() for name, tensor in state.items()}, [row["loss"] for row in done.metrics]


# Methods with one phase and the run's Adam go on as those of tests/training/test_cadence.py do.
OTHERS = [method for method, facts in RULES.items() if len(facts.phases) > 1 or facts.refuses]


@pytest.mark.parametrize("method", OTHERS)
def test_a_run_goes_on_from_each_checkpoint_to_the_same_bits(method: str, tmp_path: Path) -> None:
    config, whole, again = configuration(method), tmp_path / "whole", tmp_path / "again"
    wanted, losses = trained(config, open_store(str(whole)), None)
    names = set()
    for step in range(1, STEPS):
        saved = checkpoint.read(open_store(str(whole)).sub(folder_name(step)), step)
        names.add(saved.phase)
        state, more = trained(config, open_store(str(again)), saved)
        assert more == losses
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[name], tensor) for name, tensor in wanted.items())
    several = RULES[method].phases
    assert names == (set(several) if len(several) > 1 else {""})


@pytest.mark.parametrize("method", [method for method, facts in RULES.items() if len(facts.phases) > 1])
def test_a_checkpoint_of_one_phase_does_not_fit_another(method: str, tmp_path: Path) -> None:
    config, folder = configuration(method), open_store(str(tmp_path))
    trained(config, folder, None)
    first = checkpoint.read(folder.sub(folder_name(ends(config)[0])))
    course = Course(config, Single, CPU)
    course.enter(1)
    with pytest.raises(RunError, match=f"it is of phase {first.phase}"):
        checkpoint.restore(first, course.trainer, ["f"])
