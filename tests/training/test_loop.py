"""On real streams, the loop stops or skips steps when the loss or gradient is not finite."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DivergedError, RunError
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.episode.plan import Need, plan
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from tests.stored import SHARDS

STEPS = 6


@pytest.fixture
def faces() -> str:
    return str(SHARDS)


def configuration(faces: str, **training: Any) -> Config:
    return check(
        {
            "run": {"name": "r"},
            "data": {"prefix": faces, "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 4},
            "model": {"width": 0.05},
            "training": {"steps": STEPS, "workers": 1, "strategy": "single", **training},
        },
        "test",
    )


class Streams:
    """A source of batches that reads the shards directly."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def batch(self, need: Need) -> RawBatch:
        store = open_store(self.config.data.prefix)
        manifest = Manifest.open(store, need.domain)
        stream = DomainStream(store, manifest, split="train", batch=4, image_size=32, seed=0)
        return next(stream.batches(need.index)).rows(need.rows)

    def prefetch(self, needs: list[Need]) -> None:
        pass


def run(config: Config, after_step=lambda row, trainer: None, before=lambda trainer: None):
    """Train; return the rows, the calls of `not_finite`, and the trainer."""
    trainer = build(config, Single(), torch.device("cpu"))
    before(trainer)
    rows, notes = [], []

    def note(step, keys):
        notes.append((step, keys))

    def after(row):
        rows.append(row)
        after_step(row, trainer)

    hooks = Hooks(after, lambda progress: None, note)
    error = None
    try:
        train(config, trainer, Streams(config), hooks, Progress(), torch.device("cpu"))
    except RunError as caught:
        error = caught
    return rows, notes, trainer, error


def poison_step_3(row, trainer) -> None:
    """Make a weight NaN in step 3, and restore it afterwards."""
    weight = trainer.objective.nets.F.get_submodule("conv1_2").weight.data
    if row["step"] == 2:
        poison_step_3.weight = weight.clone()
        weight.fill_(float("nan"))
    if row["step"] == 3:
        weight.copy_(poison_step_3.weight)


def test_a_nan_stops_the_run_and_names_step_and_samples(faces):
    config = configuration(faces)
    rows, notes, _, error = run(config, poison_step_3)
    assert len(rows) == 3
    assert "start a new run with --set run.name=" in error.remedy
    ((step, keys),) = notes
    assert f"at step 3, with samples such as {next(iter(keys.values()))[0]}" in error.problem
    needs = [need for need in plan(config, 0, 3).needs[0] if need]
    expected = {need.domain: list(Streams(config).batch(need).keys) for need in needs}
    assert (step, keys) == (3, expected)


@pytest.mark.parametrize(("method", "skips"), [("ssdg", True), ("mmd_aae", False)])
def test_a_method_of_several_turns_is_not_told_to_skip_steps_which_it_refuses(faces, method, skips):
    tree = configuration(faces).model_dump(mode="json")
    *_, error = run(check({**tree, "method": {"name": method}}, "test"), poison_step_3)
    assert error is not None
    assert ("training.not_finite=skip" in error.remedy) == skips


def test_a_nan_is_skipped_if_told_so(faces):
    rows, notes, trainer, error = run(configuration(faces, not_finite="skip"), poison_step_3)
    assert error is None
    assert [row["step"] for row in rows if row.get("skipped")] == [3]
    assert [step for step, _ in notes] == [3]
    assert trainer.updates == STEPS - 1
    assert all(torch.isfinite(p).all() for p in trainer.objective.nets.parameters())
    json.loads(json.dumps(rows, allow_nan=False))


def poison_for_good(row, trainer) -> None:
    """Make a weight NaN from step 3 on."""
    if row["step"] == 2:
        trainer.objective.nets.F.get_submodule("conv1_2").weight.data.fill_(float("nan"))


@pytest.mark.parametrize("steps", [30, 40])
def test_skipping_has_an_end(faces, steps):
    rows, notes, _, error = run(configuration(faces, not_finite="skip", steps=steps), poison_for_good)
    assert error is not None
    assert "not finite in 10 steps in a row, up to step 12" in error.problem
    assert "lower training.learning_rate or method.inner_learning_rate" in error.remedy
    assert (len(rows), len(notes)) == (12, 10)


def test_a_short_run_of_nothing_but_skipped_steps_is_no_training(faces):
    config = configuration(faces, not_finite="skip")
    *_, error = run(config, before=lambda trainer: poison_for_good({"step": 2}, trainer))
    assert error is not None
    assert f"not finite in {STEPS} steps in a row" in error.problem


def test_a_step_of_two_episodes_sees_what_two_steps_of_one_would(faces):
    one, two = configuration(faces), configuration(faces, episodes=2)
    for step in range(5):
        singles = [need for s in (2 * step, 2 * step + 1) for need in plan(one, 0, s).needs[0]]
        assert [need for needs in plan(two, 0, step).needs for need in needs] == singles


def test_bf16_trains_and_keeps_its_weights_in_float32(faces):
    rows, _, trainer, error = run(configuration(faces, precision="bf16"))
    reference, *_ = run(configuration(faces))
    assert error is None
    assert rows[0]["loss"] == pytest.approx(reference[0]["loss"], rel=2e-2)
    assert rows[0]["loss"] != reference[0]["loss"]
    assert {p.dtype for p in trainer.objective.nets.parameters()} == {torch.float32}


def test_the_place_where_the_samples_are_listed_is_named(faces):
    config = configuration(faces)
    trainer = build(config, Single(), torch.device("cpu"))
    trainer.objective.nets.F.get_submodule("conv1_2").weight.data.fill_(float("nan"))
    hooks = Hooks(lambda row: None, lambda progress: None, lambda *_: "s3://runs/r/not_finite/")
    with pytest.raises(DivergedError, match="at step 0, whose samples are listed in s3://runs/r/not_finite/"):
        train(config, trainer, Streams(config), hooks, Progress(), torch.device("cpu"))
