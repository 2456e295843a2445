"""A training that begins with a model has its weights, bit for bit, and nothing of its optimiser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as tensor_bytes

from rfmeta_dist.cluster.prepare import look, prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest, with_digest
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.package import Package
from rfmeta_dist.detectors.start import facts_of, open_start
from rfmeta_dist.evaluation import judge
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.gradient import GradientDetector, GradientRecipe
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.begin import begin
from rfmeta_dist.training.course import build
from rfmeta_dist.training.step import Trainer
from tests.stored import BEFORE, SHARDS

CPU = torch.device("cpu")
FACES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)


def config(
    folder: Path, width: float = 0.05, target: str | None = "M", method: str = "rfmeta", **training: Any
) -> Config:
    tree: dict[str, Any] = {
        "run": {"name": "r", "folder": str(folder)},
        "data": {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "target": target, "image_size": 32},
        "model": {"width": width},
        "method": {"name": method},
        "training": {"steps": 1, "workers": 1, "strategy": "single", **training},
        "evaluation": {"recalibration_batches": 1},
    }
    tree["data"] |= {"batch": 4, "cache_gb": 0}
    return check(tree, "test")


def trained(settings: Config) -> tuple[Package, list[float]]:
    """Train a run and write its model. Returns it with the losses of its steps."""
    losses: list[float] = []
    sources = Sources.of(settings)
    detector = GradientRecipe().fit(sources, Context.of(settings, lambda row: losses.append(row["loss"])))
    folder = open_folder(settings)
    facts = {"step": settings.training.steps, "recalibration": "in words", **facts_of(folder)}
    judge.finish(settings, folder, detector, sources, facts)
    return load_model(folder.sub("model")), losses


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run; not to be changed."""
    folder = tmp_path_factory.mktemp("parent")
    trained(config(folder, learning_rate=0.01))
    return folder / "r"


def begun(settings: Config) -> Trainer:
    trainer = build(settings, Single(), CPU)
    begin(trainer, open_start(settings))
    return trainer


def test_all_weights_and_statistics_of_f_m_and_d_are_the_model_s(parent, tmp_path):
    trainer = begun(config(tmp_path, start=str(parent), seed=9))
    model = load_model(open_store(f"{parent}/model")).detector
    assert isinstance(model, GradientDetector)
    theirs, ours = model.nets.state_dict(), trainer.objective.nets.state_dict()
    assert {name[0] for name in theirs} == set("FMD")
    assert [name for name in theirs if not torch.equal(theirs[name], ours[name])] == []
    assert any("running_var" in name and not torch.all(ours[name] == 1) for name in ours)
    with torch.no_grad():
        logits = trainer.objective.nets.eval().logits(to_input(FACES, CPU))
        assert torch.equal(logits, model.nets.logits(to_input(FACES, CPU)))
    assert (trainer.updates, trainer.strategy.moments()) == (0, {})


def test_a_method_that_scores_with_other_networks_cannot_begin_with_the_model(parent, tmp_path):
    trainer = build(config(tmp_path, start=str(parent), method="alexnet_svm"), Single(), CPU)
    with pytest.raises(ConfigError, match="scores with other networks than alexnet_svm does"):
        begin(trainer, open_start(config(tmp_path, start=str(parent))))


def test_the_model_may_be_named_by_its_run_or_by_its_folder(parent, tmp_path):
    by_run, by_model = (open_start(config(tmp_path, start=str(p))) for p in (parent, parent / "model"))
    assert by_run.sha256 == by_model.sha256 == digest((parent / "model/package.json").read_bytes())


def test_a_step_of_no_length_scores_as_the_parent(parent, tmp_path):
    """A step of Adam moves each weight by at most 1e-12, which is less than a rounding of most weights.

    The statistics are computed again on the same batches, as both runs have one step. What remains is the
    rounding of float32 in sums, about 1e-6 of a logit.
    """
    child, losses = trained(config(tmp_path, start=str(parent), learning_rate=1e-12))
    scores = load_model(open_store(f"{parent}/model")).detector.score(FACES)
    assert np.ptp(scores) > 1e-3
    assert np.abs(child.detector.score(FACES) - scores).max() < 1e-6
    _, afresh = trained(config(tmp_path / "afresh", learning_rate=1e-12))
    assert abs(losses[0] - afresh[0]) > 1e-3


def test_the_model_names_its_parent_and_all_domains_before_it(parent, tmp_path):
    settings = config(tmp_path, start=str(parent))
    prepare(settings)
    child, _ = trained(settings)
    sha256 = digest((parent / "model/package.json").read_bytes())
    assert child.about["parent"] == child.about["start"]["package"] == sha256
    assert child.about["start"]["domains"] == ["C", "I", "O"]
    of_two = settings.model_copy(update={"data": settings.data.model_copy(update={"sources": ("O", "C")})})
    path = tmp_path / "r/model/package.json"
    about = json.loads(path.read_text())
    about["data"] = {"M": "0"}
    path.write_bytes(json.dumps(with_digest({k: v for k, v in about.items() if k != "sha256"})).encode())
    grandchild = of_two.model_copy(
        update={"training": of_two.training.model_copy(update={"start": str(tmp_path / "r")})}
    )
    for domain in ("I", "M"):  # I was seen by the grandparent only
        data = grandchild.data.model_copy(update={"target": domain})
        with pytest.raises(ConfigError, match=f"was trained on {domain}, which is the run's target"):
            open_start(grandchild.model_copy(update={"data": data}))


def refused(settings: Config, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        look(settings)
    assert not Path(settings.run.folder, settings.run.name).exists()


def test_what_cannot_be_begun_with_is_refused_before_anything_is_written(parent, tmp_path):
    refused(config(tmp_path, start=str(tmp_path / "gone")), "training.start=.*gone: there is no trained model")
    refused(config(tmp_path, start=str(parent), width=0.1), "with width 0.05, but the run has model.width=0.1")
    refused(config(tmp_path, start=str(BEFORE / "runs/finished")), "stored no hashes, so it cannot be checked")
    hurt = Path(shutil.copytree(parent, tmp_path / "hurt"))
    weights = (hurt / "model/weights.safetensors").read_bytes()
    (hurt / "model/weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    refused(
        config(tmp_path, start=str(hurt)), "training.start=.* is damaged: weights.safetensors does not match"
    )


def test_weights_of_other_shapes_or_without_numbers_change_nothing(parent, tmp_path):
    model, settings = open_start(config(tmp_path, start=str(parent))), config(tmp_path)
    trainer = build(settings, Single(), CPU)
    before = {name: tensor.clone() for name, tensor in trainer.objective.nets.state_dict().items()}
    bad = {**before, "M.fc2_1.bias": torch.full((1,), torch.nan)}
    for weights, said in (
        ({**before, "extra": torch.zeros(1)}, "extra is of shape .1. in the model and missing in the networks"),
        (bad, "are not all finite, because its training diverged"),
    ):
        data = {"weights.safetensors": tensor_bytes(weights)}
        with pytest.raises(ConfigError, match=said):
            begin(trainer, package.Contents(**{**vars(model), "files": data}))
    after = trainer.objective.nets.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_model_at_the_place_is_noticed_until_there_is_a_checkpoint(parent, tmp_path):
    place = Path(shutil.copytree(parent, tmp_path / "place"))
    settings = config(tmp_path, start=str(place))
    prepare(settings)
    look(settings)
    trained(config(tmp_path / "other", seed=5))
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "other/r", place)
    with pytest.raises(RunError, match=r"holds the model .*, but the run was started with the model"):
        look(settings)
    step = tmp_path / "r/step-0000001"
    step.mkdir()
    (step / "state.json").write_text("{}")
    shutil.rmtree(place)
    assert look(settings).start is not None
    with pytest.raises(RunError, match=r"another configuration \(different: training.start\)"):
        look(config(tmp_path))


def test_a_study_is_not_begun_with_a_model(parent, tmp_path):
    words = {"name": "s", "folder": str(tmp_path), "space": {"training.learning_rate": {"choice": [0.1, 0.2]}}}
    Study.model_validate({**words, "base": config(tmp_path)})
    with pytest.raises(ConfigError, match=r"base\.training\.start=.*: a fold must not know the domain"):
        Study.model_validate({**words, "base": config(tmp_path, start=str(parent))})
