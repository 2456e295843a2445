"""Detectors that see patches: trained, judged, packaged and loaded again like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
import torch

from rfmeta_dist.cluster.prepare import look, prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.detectors.package import Package
from rfmeta_dist.episode.plan import plan
from rfmeta_dist.evaluation import examples, judge
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.gradient import GradientRecipe
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import Store, open_store
from tests.samples import make_native_samples
from tests.stored import SHARDS

SIZES = {"train": (6, 6), "validation": (3, 6)}


def config(prefix: str, sources: list[str], target: str, tmp_path: Path, **changes: Any) -> Config:
    tree = {
        "run": {"name": "r", "folder": str(tmp_path / "runs")},
        "data": {
            "prefix": prefix,
            "sources": sources,
            "target": target,
            "image_size": 32,
            "batch": 4,
            "cache_gb": 0,
        },
        "model": {"width": 0.05},
        "training": {"steps": 2, "workers": 1, "strategy": "single"},
        "evaluation": {"recalibration_batches": 1},
    }
    for key, value in changes.items():
        tree[key] = {**tree.get(key, {}), **value}
    return check(tree, "test")


def people(domain: str) -> list:
    """Samples in crops of 40 to 120 pixels; attacks of one type, as those of one video must be."""
    samples = make_native_samples(domain, SIZES)
    return [s if s.label else replace(s, attack_type="print") for s in samples]


@pytest.fixture
def native(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "data"))
    for name in "ABD":
        pack(people(name), store, name, contract={"crop": {"size": {"smallest": 32}}}, native=True)
    return store


def trained(settings: Config) -> tuple[list[float], Store, Package]:
    """Train, set thresholds, package, and load again."""
    torch.set_num_threads(1)
    losses: list[float] = []
    folder = prepare(settings).folder
    sources = Sources.of(settings, folder)
    context = Context.of(settings, lambda row: losses.append(row["loss"]))
    detector = GradientRecipe().fit(sources, context)
    facts = {"step": settings.training.steps, "recalibration": "none"}
    judge.finish(settings, folder, detector, sources, facts)
    return losses, folder, load_model(folder.sub("model"))


@pytest.mark.parametrize("method", ["rfmeta", "no_meta"])
def test_of_crops_as_small_as_a_patch_everything_is_as_of_faces(tmp_path: Path, method: str):
    """Then the only patch is the whole crop, so both views must agree bit for bit."""
    found = []
    for data in ({"view": "face"}, {"view": "patches", "patch_grid": 1}):
        run = {"run": {"name": data["view"]}, "data": data, "method": {"name": method}}
        settings = config(str(SHARDS), ["O", "C", "I"], "M", tmp_path, **run)
        losses, folder, model = trained(settings)
        judge.evaluate(settings, folder, model)
        scores = Scores.from_parquet(folder.read("scores.parquet"))
        found.append((losses, scores.key.tolist(), scores.score.tolist(), model.thresholds))
    assert len(found[0][0]) == 2
    assert found[0] == found[1]


@pytest.mark.parametrize("method", ["rfmeta", "no_meta"])
def test_the_score_of_a_face_is_the_mean_over_its_grid(tmp_path: Path, native: Store, method: str):
    run = {"data": {"view": "patches", "patch_grid": 2}, "method": {"name": method}}
    settings = config(native.url, ["A", "B"], "D", tmp_path, **run)
    _, folder, model = trained(settings)
    assert model.view.patches == Patches(grid=2)
    # The package alone says how to cut and pool, and a program without ours can do the same.
    view = json.loads(folder.read("model/package.json"))["view"]
    assert view["patches"] == {"grid": 2, "middle": 0.5, "pool": "mean"}
    judge.evaluate(
        settings.model_copy(update={"data": settings.data.model_copy(update={"view": "face"})}), folder, model
    )
    scores = Scores.from_parquet(folder.read("scores.parquet"))
    expected = {}
    for sample in (s for name in "ABD" for s in people(name) if name == "D" or s.split == "validation"):
        header = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR)
        crop = decode_image(sample.image, "png", header.shape[:2])
        side = crop.shape[0]
        travel = min(side - 32, side // 2)
        starts = [(side - 32 - travel) // 2, (side - 32 - travel) // 2 + travel]
        cut = np.stack([crop[top : top + 32, left : left + 32] for top in starts for left in starts])
        expected[sample.key] = model.detector.score(cut).mean()
    assert scores.key.tolist() == list(dict.fromkeys(scores.key))
    assert set(scores.key) == set(expected)
    assert scores.score == pytest.approx([expected[key] for key in scores.key], abs=1e-6)
    shown = examples.from_parquet(folder.read("examples.parquet"))
    sides = {simplejpeg.decode_jpeg(example.image).shape[0] for example in shown}
    assert len(sides) == 1
    assert sides.pop() > 32  # the whole face, not a patch


def test_any_number_of_workers_reads_the_same_patches(tmp_path: Path, native: Store):
    def seen(workers: int) -> dict[tuple[str, int, int], tuple[Any, ...]]:
        """What the workers of a run get in its first steps, by domain, batch and row."""
        run = {"data": {"view": "patches"}, "training": {"workers": workers, "strategy": "ddp"}}
        settings = config(native.url, ["A", "B"], "D", tmp_path, **run)
        sources = Sources.of(settings)
        found = {}
        for rank in range(workers):
            batches = LocalBatches(sources.store, sources.manifests, settings.data, settings.training.seed)
            for need in (n for step in range(4) for ns in plan(settings, rank, step).needs for n in ns if n):
                got = batches.batch(need)
                columns = got.keys, got.place.tolist(), map(bytes, got.image), map(bytes, got.depth)
                for row, *shown in zip(need.rows, *columns, strict=True):
                    found[need.domain, need.index, row] = tuple(shown)
        return found

    assert len(seen(1)) == 2 * 4 * 4  # domains, steps, images of a batch
    assert seen(2) == seen(1)


def test_a_run_says_which_crops_are_not_of_the_source_pixels(tmp_path: Path, native: Store):
    pack(people("B"), native, "B", contract={"crop": {"size": 128}}, native=True)
    settings = config(native.url, ["A", "B"], "D", tmp_path, data={"view": "patches"})
    (note,) = look(settings).notes
    assert "resized the crops of domain B to 128 pixels" in note
    assert "--size native" in note
    faces = config(native.url, ["A", "B"], "D", tmp_path, run={"name": "f"})
    assert look(faces).notes == []
