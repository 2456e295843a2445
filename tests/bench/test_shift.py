"""The matrix of domains: its sums on constructed figures, and one row of it on generated domains."""

from pathlib import Path

import numpy as np
import pytest

from bench import shift
from bench.shift import Cell, Recipe
from bench.study.design import DOMAINS, data_folder
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation.rates import auc
from rfmeta_dist.evaluation.scoring import score_domain
from rfmeta_dist.storage.store import open_store


def matrix(inside, outside, people):
    """Cells whose resamples all move with the people of the column."""
    return [
        Cell(0.5, on, other, value, value + people[other])
        for on in DOMAINS
        for other in DOMAINS
        for value in [inside if on == other else outside]
    ]


def test_a_drop_is_paired_by_the_people_of_each_column():
    rng = np.random.default_rng(0)
    people = {name: rng.normal(0, 0.05, 400) for name in DOMAINS}
    found = shift.summary(matrix(0.98, 0.80, people))
    assert found["drop"] == pytest.approx({"value": 0.18, "low": 0.18, "high": 0.18})
    assert found["inside"]["high"] - found["inside"]["low"] > 0.05
    assert found["matrix"]["O"]["C"]["value"] == 0.8


def test_a_row_is_trained_on_one_domain_and_tested_on_the_test_people_of_all(generated):
    recipe = Recipe(size=32, width=0.05, batch=4, steps=2, rate=1e-3, precision="fp32", seed=0)
    cells = shift.row(str(data_folder(generated, 0.5)), 0.5, "C", recipe)
    assert [(c.trained_on, c.tested_on) for c in cells] == [("C", name) for name in DOMAINS]
    for cell in cells:
        assert cell.auc == pytest.approx(auc_on_test_people(generated, cell.tested_on, recipe))
        assert cell.draws.min() <= cell.auc <= cell.draws.max()


def auc_on_test_people(generated: Path, domain: str, recipe: Recipe) -> float:
    """AUC of the videos of a domain's test people, by the network trained on C: counted pair by pair."""
    prefix = str(data_folder(generated, 0.5))
    store = open_store(prefix)
    manifest = Manifest.open(store, domain)
    scores = score_domain(
        shift.train(prefix, "C", recipe),
        manifest,
        scan(store, manifest, None, image_size=recipe.size, batch=16),
    )
    videos: dict[tuple[str, bool], list[float]] = {}
    for split, video, label, score in zip(scores.split, scores.video, scores.label, scores.score, strict=True):
        if split == "test":
            videos.setdefault((video, bool(label)), []).append(float(score))
    means = {name: sum(of) / len(of) for name, of in videos.items()}
    pairs = [(means[one], means[two]) for one in means for two in means if one[1] and not two[1]]
    return sum(1.0 if live > attack else 0.5 if live == attack else 0.0 for live, attack in pairs) / len(pairs)


def test_training_learns_what_it_is_trained_on(generated):
    prefix = str(data_folder(generated, 0.5))
    recipe = Recipe(size=32, width=0.1, batch=8, steps=60, rate=3e-3, precision="fp32", seed=0)
    detector = shift.train(prefix, "O", recipe)
    store = open_store(prefix)
    manifest = Manifest.open(store, "O")
    batches = scan(store, manifest, "train", image_size=32, batch=64)
    scores = score_domain(detector, manifest, batches)
    assert auc(scores.label, scores.score) > 0.95
