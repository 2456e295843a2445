"""A recipe of hand-made features fits the same detector after an interruption, and needs no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods.features import FEATURES
from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.ties import require_different_weights
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.recipes import fitted, frames, machines
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.features import FeatureRecipe, Found, first_of_each
from rfmeta_dist.recipes.frames import Kept, Order
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.report import page
from rfmeta_dist.report.records import read_record, read_trained
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tracking.record import read as read_tracked
from tests.stored import SHARDS

ROOT = Path(__file__).parents[2]
FACES = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
# Train, finish and judge a run without torch and Ray; perhaps be killed before the second domain.
PROGRAM = """
import json, os, signal, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "torch", "deepspeed"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from rfmeta_dist.cluster import judging
from rfmeta_dist.config.load import check
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.recipes import fitted, frames, machines
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.features import FeatureRecipe
from rfmeta_dist.storage.store import open_store
tree, kill = json.loads(sys.argv[1]), sys.argv[2] == "kill"
config = check(tree, "test")
machines.COSTS["rbf"], machines.GAMMAS["rbf"] = (1.0, 8.0), (0.01,)
folder, done = prepare(config).folder, []
def extract(order, sources, domain):
    if kill and done:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(domain)
    return frames.here(order, sources, domain)
sources = Sources.of(config, folder)
recipe = FeatureRecipe(open_store(config.run.folder), extract)
fitted.write(folder, recipe.fit(sources, Context.of(config)), 1.0)
judging.finish(config, folder, "cpu")
result = judging.evaluate_here(config, folder)
print(json.dumps({"done": done, "evaluation": result}))
"""


@pytest.fixture(autouse=True)
def _few_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machines.COSTS, "rbf", (1.0, 8.0))
    monkeypatch.setitem(machines.GAMMAS, "rbf", (0.01,))
    monkeypatch.setitem(machines.COSTS, "linear", (1.0, 8.0))


def tree(folder: Path, name: str = "ms_lbp", seed: int = 0, **changes: Any) -> dict[str, Any]:
    data = {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "target": "M", "image_size": 32, "cache_gb": 0}
    return {
        "run": {"name": "r", "folder": str(folder)},
        "data": {**data, **changes.pop("data", {})},
        "method": {"name": name, **changes},
        "training": {"seed": seed},
    }


def fit(config: Config, recipe: FeatureRecipe | None = None) -> Any:
    return (recipe or FeatureRecipe()).fit(Sources.of(config), Context.of(config))


def test_a_killed_run_goes_on_with_the_next_domain_and_is_the_same_without_torch(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    given = tree(tmp_path / "runs")

    def start(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, json.dumps(given), how]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert start("kill").returncode == -9
    assert [p.name[:2] for p in (tmp_path / "runs/.features").iterdir()] == ["O-"]
    ended = start("on")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["done"] == ["C", "I"]
    evaluation, run = told["evaluation"], open_store(f"{given['run']['folder']}/r")
    assert not {"step", "recalibration"} & evaluation.keys()
    assert evaluation["classifier"]["features"] == 833
    assert run.list("fitted") == []

    undisturbed = fit(check(given, "test")).classifier.arrays()
    model = load_model(run.sub("model"))
    assert all(
        np.array_equal(array, undisturbed[name]) for name, array in model.detector.classifier.arrays().items()
    )
    scores = model.detector.score(FACES)
    assert scores.min() > 0
    assert scores.max() < 1
    lines = [json.loads(line) for line in run.read("ledger.jsonl").splitlines()]
    reads = [(line["purpose"], line["domain"], line["sealed"]) for line in lines]
    assert reads == [(purpose, d, False) for purpose in ("training", "threshold") for d in "OCI"] + [
        ("evaluation", "M", True)
    ]
    record = read_record(run.read, run.url)
    assert (record.metrics, record.streams) == ([], {})
    assert "Recalibration" not in page.render(record)
    tracked = read_tracked(check(given, "test"), run)
    assert (tracked.rows, tracked.step) == ([], 0)
    assert {"report.html", "model/classifier.safetensors"} <= tracked.files.keys()
    assert "for  steps" not in page.render_trained(read_trained(run))


def test_fits_that_are_done_elsewhere_and_a_second_time_give_the_same_bytes(tmp_path: Path) -> None:
    config = check(tree(tmp_path, "color_texture", lbp_only=True), "test")

    def backwards(work, data, items):
        return [work(data, item) for item in reversed(items)][::-1]

    one, other = fit(config), fit(config, FeatureRecipe(spread=backwards))
    folders = [open_store(str(tmp_path / name)) for name in "ab"]
    about = [detector.save(folder) for detector, folder in zip((one, other), folders, strict=True)]
    assert about[0] == about[1]
    assert folders[0].read("classifier.safetensors") == folders[1].read("classifier.safetensors")
    assert about[0]["settings"] == {"lbp_only": True}
    fitted.write(folders[0], one, 1.0)
    again, facts = fitted.read(folders[0])
    assert np.array_equal(again.score(FACES), one.score(FACES))
    assert facts["classifier"]["vectors"] == {"attack": 1}
    (tmp_path / "a/fitted/classifier.safetensors").write_bytes(b"damaged")
    assert not fitted.is_whole(folders[0])
    with pytest.raises(RunError, match="does not match its SHA-256"):
        fitted.read(folders[0])


def test_one_machine_for_each_attack_type_of_the_sources(tmp_path: Path) -> None:
    said: list[str] = []
    detector = fit(check(tree(tmp_path, "ida"), "test"), FeatureRecipe(say=said.append))
    assert list(detector.classifier.machines) == ["cut", "print", "replay", "warped"]
    assert detector.extractor.length == 121
    (warning,) = [text for text in said if "JPEG" in text]
    assert warning.startswith("the crops of O, C, I are stored as JPEG")
    assert "--lossless" in warning


def test_all_domains_and_classes_give_equally_many_frames_of_as_many_videos_as_there_are(
    tmp_path: Path,
) -> None:
    config = check(tree(tmp_path, fitted_frames=8), "test")
    order, sources = Order.of(config), Sources.of(config)
    for manifest in sources.manifests.values():
        some, more = frames.chosen(manifest, 2), frames.chosen(manifest, 100)
        for label in (0, 1):
            assert some[label] == more[label][:2]
            assert len({frame.video for frame in some[label]}) == 2
    found = FeatureRecipe().gather(order, sources)
    domains = np.array([video.partition("/")[0] for video in found.videos])
    counts = {
        (d, label): int(((domains == d) & (found.labels == label)).sum()) for d in "OCI" for label in (0, 1)
    }
    assert len(set(counts.values())) == 1
    assert (found.types[found.labels == 1] == "live").all()


def test_settings_are_chosen_among_at_most_1000_frames_however_many_there_are() -> None:
    turn = np.tile(np.arange(20_000), 6)  # of three domains and two classes
    none = np.empty(len(turn), str)
    found = Found(np.empty((len(turn), 0), np.float32), turn, none, none, turn)
    rows = np.arange(len(turn))
    began = time.monotonic()
    few = first_of_each(rows, found)
    assert time.monotonic() - began < 5
    assert np.bincount(turn[few]).tolist() == [6] * 166
    assert first_of_each(rows[:1000], found).tolist() == list(range(1000))
    assert first_of_each(rows[turn < 1], found).tolist() == rows[turn < 1].tolist()


def test_kept_features_are_used_for_the_same_order_and_state_alone(tmp_path: Path) -> None:
    config = check(tree(tmp_path), "test")
    order, manifest = Order.of(config), Sources.of(config).manifests["O"]
    kept, features = Kept(open_store(str(tmp_path))), np.ones((3, 833), np.float32)
    assert kept.read(order, manifest) is None
    kept.write(order, manifest, features)
    assert np.array_equal(kept.read(order, manifest), features)
    other = check(tree(tmp_path, fitted_frames=9), "test")
    assert kept.read(Order.of(other), manifest) is None
    assert (
        kept.read(Order.of(check(tree(tmp_path, seed=5, data={"cache_gb": 1}), "test")), manifest) is not None
    )
    (path,) = (tmp_path / ".features").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert kept.read(order, manifest) is None


@pytest.mark.parametrize("name", FEATURES)
def test_what_only_a_training_by_gradient_has_is_refused(name: str, tmp_path: Path) -> None:
    given = tree(tmp_path, name)
    for section, field, value in (("training", "start", "elsewhere"), ("data", "view", "patches")):
        changed = {**given, section: {**given[section], field: value}}
        with pytest.raises(ConfigError, match=rf"{section}\.{field}=.*method {name}"):
            prepare(check(changed, "test"))
    config = check(given, "test")
    with pytest.raises(ConfigError, match=f"method {name} is not trained in steps"):
        require_different_weights(config, {})
    with pytest.raises(ConfigError, match=rf"base\.method\.name={name}: a retraining trains networks"):
        Retraining.model_validate({"name": "x", "base": given})
    assert not open_folder(config).list()
