"""A run of hand-made features is scored as it is: the crop's score is the detector's, and damage is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.cluster import judging
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import PackageError, RunError
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.deploy.results import Scored
from rfmeta_dist.deploy.scorer import Scorer
from rfmeta_dist.deploy.trained import open_package
from rfmeta_dist.recipes import fitted
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.features import FeatureRecipe
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import open_store
from tests.deploy.test_serve import PICTURES
from tests.stored import BEFORE, SHARDS


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has a model."""
    folder = tmp_path_factory.mktemp("runs")
    data = {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "image_size": 32, "cache_gb": 0}
    tree = {"run": {"name": "r", "folder": str(folder)}, "data": data}
    config = check({**tree, "method": {"name": "color_texture", "lbp_only": True}}, "test")
    place = prepare(config).folder
    fitted.write(place, FeatureRecipe().fit(Sources.of(config, place), Context.of(config)), 1.0)
    judging.finish(config, place, "cpu")
    return folder / "r"


def test_a_picture_gets_the_score_of_its_crop_and_the_threshold_of_the_run(run: Path, monkeypatch) -> None:
    crops: list[np.ndarray] = []
    scorer, model = Scorer(run), load_model(open_store(str(run / "model")))
    judge = scorer._network.scores
    monkeypatch.setattr(scorer._network, "scores", lambda faces: crops.append(faces) or judge(faces))
    found = scorer.score(PICTURES["live"])
    assert isinstance(found, Scored)
    assert crops[0].shape == (1, 32, 32, 3)
    assert found.score == model.detector.score(crops[0])[0]
    assert found.verdict == ("live" if found.score >= model.thresholds["frame"].value else "attack")
    assert Scorer(run / "model").package.sha256 == scorer.package.sha256
    assert scorer.package.scorer == model.scorer


def test_a_changed_file_and_a_model_of_networks_are_refused(run: Path, tmp_path: Path) -> None:
    for path in (run / "model").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    arrays = tmp_path / "classifier.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"!")
    with pytest.raises(RunError, match=r"classifier\.safetensors does not match its SHA-256"):
        open_package(open_store(str(tmp_path)))
    with pytest.raises(PackageError, match=r"is a training run, not a deployment package.*export it first"):
        open_package(open_store(str(BEFORE / "runs/finished")))
