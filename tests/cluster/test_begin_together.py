"""Two workers begin with the weights of a model, and need the model until the first checkpoint only."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.gradient import GradientRecipe
from tests.cluster.conftest import descendants

pytestmark = pytest.mark.usefixtures("cluster")
STEPS, KILLED = 8, 5


def model_of(undisturbed: Any, place: Path) -> Path:
    return Path(shutil.copytree(f"{undisturbed[0].url}/model", place / "model"))


@pytest.mark.drill
def test_workers_begin_with_one_model(configure: Any, undisturbed: Any, tmp_path: Path):
    place = model_of(undisturbed, tmp_path)
    config = configure("further", steps=2, start=str(place))
    rows: list[StepRow] = []
    folder = train_run(config, rows.append, local=True)
    begun: list[float] = []
    torch.set_num_threads(1)
    recipe = config.model_copy(update={"training": config.training.model_copy(update={"steps": 1})})
    GradientRecipe().fit(Sources.of(recipe), Context.of(recipe, lambda row: begun.append(row["loss"])))
    assert rows[0]["loss"] == pytest.approx(begun[0], rel=1e-5)  # the same weights, split among two workers
    parent = digest((place / "package.json").read_bytes())
    about = json.loads(folder.read("model/package.json"))
    assert (about["parent"], about["start"]["domains"]) == (parent, ["C", "I", "O"])
    assert json.loads(folder.read("start.json"))["package"] == parent


@pytest.mark.drill
def test_workers_resume_without_the_model_that_they_began_with(
    configure: Any, undisturbed: Any, tmp_path: Path
):
    place = model_of(undisturbed, tmp_path)
    whole, hurt = (configure(name, steps=STEPS, start=str(place)) for name in ("whole", "hurt"))
    folder = train_run(whole, lambda _: None, local=True)

    def kill(row: StepRow) -> None:
        if row["step"] >= KILLED and place.exists():
            shutil.rmtree(place)
            os.kill(descendants("ray::RayTrainWorker")[-1], signal.SIGKILL)

    again = train_run(hurt, kill, local=True)
    assert not place.exists()
    last = f"step-{STEPS:07d}/model.safetensors"
    ours, theirs = load(again.read(last)), load(folder.read(last))
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []
