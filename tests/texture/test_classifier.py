"""A stored classifier gives the margins of scikit-learn's, and its scores keep their order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from rfmeta_dist.recipes import machines
from rfmeta_dist.recipes.machines import Data, Fit, Setting, fitted, folds
from rfmeta_dist.storage.local import LocalStore
from rfmeta_dist.texture.classifier import Classifier, Scaling
from rfmeta_dist.texture.detector import FeatureDetector
from rfmeta_dist.texture.lbp import MultiscaleLbp

RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, 2, 120)
POINTS = RANDOM.normal(size=(120, 7)) + LABELS[:, None] * RANDOM.normal(size=7)
DATA = Data(Scaling.of(POINTS).apply(POINTS).astype(np.float32), LABELS)
ALL = np.arange(120)
OTHERS = RANDOM.normal(size=(40, 7))
LBP = "rfmeta_dist.texture.lbp:MultiscaleLbp"


@pytest.mark.parametrize(("kernel", "gamma"), [("rbf", 0.3), ("linear", 0.0)])
def test_margins_are_those_of_scikit_learn(kernel, gamma: float) -> None:
    machine = fitted(DATA, Fit(kernel, ALL, Setting(2.0, gamma), 500, 0))
    theirs = SVC(C=2.0, kernel=kernel, gamma=gamma or "scale", class_weight="balanced")
    theirs.fit(DATA.features.astype(float), LABELS)
    np.testing.assert_allclose(machine.margins(OTHERS), theirs.decision_function(OTHERS), atol=2e-3)
    assert len(machine.vectors) == (len(theirs.support_) if kernel == "rbf" else 1)


def test_landmarks_approximate_the_kernel_and_all_of_them_give_it_back(monkeypatch) -> None:
    order = Fit("rbf", ALL, Setting(2.0, 0.3), 119, 0)  # one frame too many for an exact kernel
    whole = fitted(DATA, order)
    assert len(whole.vectors) == 120
    kernel = np.exp(-0.3 * ((OTHERS[:, None] - DATA.features[None]) ** 2).sum(-1))
    np.testing.assert_allclose(whole.margins(OTHERS), kernel @ whole.weights + whole.bias, atol=1e-6)
    monkeypatch.setattr(machines, "LANDMARKS", 60)
    half = fitted(DATA, order)
    assert len(half.vectors) == 60
    assert np.corrcoef(half.margins(OTHERS), whole.margins(OTHERS))[0, 1] > 0.95
    other = fitted(DATA, Fit("rbf", ALL, Setting(2.0, 0.3), 119, 1))
    assert not np.array_equal(other.vectors, half.vectors)


def classifier(unit: float = 0.7) -> Classifier:
    both = {
        kind: fitted(DATA, Fit("rbf", ALL, Setting(2.0, g), 500, 0)) for kind, g in (("a", 0.3), ("b", 3.0))
    }
    return Classifier(Scaling.of(POINTS), both, unit)


def test_the_least_margin_counts_and_scores_keep_the_order_of_margins() -> None:
    found = classifier()
    scaled = found.scaling.apply(OTHERS)
    least = np.minimum(*(machine.margins(scaled) for machine in found.machines.values()))
    assert np.array_equal(found.margins(OTHERS), least)
    scores = found.scores(OTHERS)
    assert ((scores > 0) & (scores < 1)).all()
    assert np.array_equal(np.argsort(scores), np.argsort(least))
    assert np.array_equal(scores > 0.5, least > 0)
    # A logistic function of these margins would be 1 for both.
    far = np.array([50.0, 51.0])
    assert np.diff(0.5 + 0.5 * far / (found.unit + far)) > 0


def test_features_are_scaled_by_the_training_range_alone() -> None:
    scaling = Scaling.of(np.array([[0.0, 5.0, 1.0], [4.0, 5.0, 3.0]]))
    assert scaling.apply(np.array([[0, 5, 1], [4, 5, 3], [6, 9, 2]])).tolist() == [
        [-1, 0, -1],
        [1, 0, 1],
        [2, 0, 0],
    ]


def test_a_stored_detector_gives_the_same_scores_and_damage_is_noticed(tmp_path) -> None:
    points = RANDOM.random((30, 833))
    data = Data(Scaling.of(points).apply(points).astype(np.float32), LABELS[:30])
    machine = fitted(data, Fit("rbf", np.arange(30), Setting(2.0, 0.001), 500, 0))
    detector = FeatureDetector(LBP, MultiscaleLbp(), Classifier(Scaling.of(points), {"attack": machine}, 1.0))
    faces = RANDOM.integers(0, 256, (3, 32, 32, 3), np.uint8)
    about, files = detector.save(LocalStore(str(tmp_path))), {}
    for path in tmp_path.iterdir():
        files[path.name] = path.read_bytes()
    again = FeatureDetector.of(about, files)
    assert np.array_equal(again.score(faces), detector.score(faces))
    with pytest.raises(ValueError, match=r"no extractor rfmeta_dist\.texture\.lbp:Other in this version"):
        FeatureDetector.of({**about, "extractor": "rfmeta_dist.texture.lbp:Other"}, files)
    with pytest.raises(ValueError, match="os:system is no extractor"):
        FeatureDetector.of({**about, "extractor": "os:system"}, files)
    with pytest.raises(ValueError, match=r"vectors\.print"):
        FeatureDetector.of({**about, "machines": ["print"]}, files)
    with pytest.raises(ValueError, match="takes 833 features, not 19968"):
        FeatureDetector.of({**about, "extractor": "rfmeta_dist.texture.colour:ColourTexture"}, files)


def test_folds_keep_videos_together_and_need_two_videos_of_each_class() -> None:
    videos = np.array([f"v{i // 4}" for i in range(120)])
    labels = np.repeat(np.arange(30) % 2, 4)
    found = folds("rbf", ALL, labels, videos, seed=1)
    assert len(found) == 5
    assert sorted(np.concatenate([fold.test for fold in found])) == list(ALL)
    for fold in found:
        assert not set(videos[fold.train]) & set(videos[fold.test])
    again = folds("rbf", ALL, labels, videos, seed=2)
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(found, again, strict=True))
    few = np.where(labels == 1, videos, "v")
    assert folds("rbf", ALL, labels, few, seed=1) == []
    setting, auc = machines.best("rbf", [], 50)
    assert (setting, np.isnan(auc)) == (Setting(1.0, 0.02), True)


def test_the_setting_that_tells_other_videos_best_is_chosen() -> None:
    grid = machines.settings("rbf")
    one, two = np.full(len(grid), 0.6), np.full(len(grid), 0.7)
    one[5], two[5], one[9], two[9] = 0.9, 0.8, 0.8, 0.9  # equally good on average
    assert machines.best("rbf", [one, two], 50) == (grid[5], pytest.approx(0.85))


def test_a_setting_that_gives_all_frames_the_same_score_is_no_better_than_guessing() -> None:
    labels = np.arange(80) % 2  # with classes of the same size, the bias is about 0
    wide = np.random.default_rng(0).normal(size=(80, 400)) + labels[:, None]
    data = Data(Scaling.of(wide).apply(wide).astype(np.float32), labels)
    (fold, *_) = folds("rbf", np.arange(80), labels, np.arange(80), 0)
    found = dict(zip(machines.settings("rbf"), machines.judged(data, fold), strict=True))
    assert found[Setting(2.0, 0.5)] == 0.5
    assert found[Setting(2.0, 2.0**-9)] > 0.9
