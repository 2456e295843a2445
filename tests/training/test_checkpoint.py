"""A run that resumes from a checkpoint gives the same bits as one that was never interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.step import Trainer, finite
from tests import episodes

STEPS, STOP, DOMAINS = 5, 2, 3
ROWS = ({"step": 0, "loss": 1.5}, {"step": 1, "loss": 1.25})


def trainer(seed: int = 0) -> Trainer:
    objective = episodes.objective("rfmeta", seed)
    return Trainer(objective, Single(), Adam(1e-2, cosine=STEPS), episodes.work_split(objective, DOMAINS))


def advance(run: Trainer, start: int, stop: int) -> list[float]:
    """Train from step `start` to step `stop` and return the losses."""
    return [run.step(episodes.work(run.work_split, 0, DOMAINS, step))["loss"] for step in range(start, stop)]


def save(run: Trainer, folder: Path, fingerprint: str = "f") -> None:
    checkpoint.save(open_store(str(folder)), run, run.strategy.moments(), Progress(STOP, ROWS), fingerprint)


def load(run: Trainer, folder: Path, fingerprint: str = "f") -> Progress:
    return checkpoint.restore(checkpoint.read(open_store(str(folder))), run, [fingerprint])


def test_going_on_from_a_checkpoint_is_bit_for_bit_the_uninterrupted_run(tmp_path):
    whole, first, second = trainer(), trainer(), trainer(seed=1)
    losses = advance(whole, 0, STEPS)
    advance(first, 0, STOP)
    save(first, tmp_path)
    progress = load(second, tmp_path)
    assert progress == Progress(STOP, ROWS)
    assert advance(second, STOP, STEPS) == losses[STOP:]
    ours, reference = second.objective.nets.state_dict(), whole.objective.nets.state_dict()
    assert [name for name in reference if not torch.equal(ours[name], reference[name])] == []


def test_the_moments_of_adam_matter_to_that(tmp_path):
    whole, first, second = trainer(), trainer(), trainer()
    advance(whole, 0, STEPS)
    advance(first, 0, STOP)
    second.objective.nets.load_state_dict(first.objective.nets.state_dict())  # the weights alone
    advance(second, STOP, STEPS)
    ours, reference = (episodes.parameters(run.objective.nets) for run in (second, whole))
    assert episodes.relative(ours, reference) > 1e-3


def test_a_checkpoint_of_another_run_is_refused_and_changes_nothing(tmp_path):
    save(trainer(seed=1), tmp_path, "another configuration")
    ours = trainer()
    before = episodes.parameters(ours.objective.nets).clone()
    with pytest.raises(
        RunError, match=r"another configuration or other data, .*; start a new run with --set run\.name="
    ):
        load(ours, tmp_path)
    assert torch.equal(episodes.parameters(ours.objective.nets), before)


FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "metrics.jsonl")


def test_a_checkpoint_whose_state_lacks_a_field_is_refused(tmp_path):
    save(trainer(), tmp_path)
    (tmp_path / "state.json").write_text('{"step": 2, "updates": 1}')
    with pytest.raises(RunError, match=f"checkpoint {tmp_path} cannot be read"):
        load(trainer(), tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, name, damage):
    run = trainer()
    advance(run, 0, 1)
    save(run, tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] if damage == "cut" else b"[] {")
    with pytest.raises(RunError, match=f"checkpoint {tmp_path} cannot be read"):
        load(trainer(), tmp_path)


def test_a_step_that_was_skipped_counts_for_the_schedule_but_not_for_adam(tmp_path):
    """Adam corrects its moments by the number of its own steps, which a checkpoint must keep."""
    whole, first, second = trainer(), trainer(), trainer()
    bad = episodes.work(whole.work_split, 0, DOMAINS, 99)
    bad[0][0].batches[0].image.fill_(float("nan"))
    for run in (whole, first):
        advance(run, 0, 1)
        before = episodes.parameters(run.objective.nets).clone()
        statistics = episodes.buffers(run.objective.nets).clone()
        assert not finite(run.step(bad))
        assert torch.equal(episodes.parameters(run.objective.nets), before)
        assert torch.equal(episodes.buffers(run.objective.nets), statistics)
    save(first, tmp_path)
    load(second, tmp_path)
    assert (second.updates, load(second, tmp_path).step) == (1, STOP)
    assert advance(second, 2, 4) == advance(whole, 2, 4)
