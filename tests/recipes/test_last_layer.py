"""The layer that is fitted after training is the support vector machine that scikit-learn finds."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.export.graph import PixelScorer, to_onnx
from rfmeta_dist.methods import METHODS
from rfmeta_dist.models.build import build
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes import gradient, machines
from tests.stored import SHARDS

CPU = torch.device("cpu")
FITTED = {name: rule for name, rule in METHODS.items() if rule.MACHINE}


@pytest.fixture(scope="module", params=FITTED)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A rule, a detector with random networks and the crops and labels that its machine was fitted to."""
    tree = {
        "run": {"name": "a", "folder": str(tmp_path_factory.mktemp("runs"))},
        "data": {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "image_size": 32, "batch": 4},
        "model": {"width": 0.03},
        "method": {"name": request.param, "fitted_frames": 8},
    }
    config, rule = check(tree, "test"), METHODS[request.param]
    sources = Sources.of(config)
    nets = build(config.model, extra=rule.scored_modules(config.model)).initialise(0)
    count = gradient.batches_to_fit(config, sources)
    rows = [raw for _, raw in gradient._batches(config, sources, count)]
    detector, words = gradient.recalibrated(nets, config, sources, CPU)
    assert f"{4 * len(rows)} training images of O, C, I" in words
    return rule, detector, np.concatenate([r.image for r in rows]), np.concatenate([r.label for r in rows])


def test_each_class_of_a_source_gives_as_many_frames_as_the_smallest_of_all_has(fitted):
    *_, label = fitted  # 8 frames of each are asked for, but there are 4 live ones in each domain
    assert [(label[at : at + 8] == 1).sum() for at in (0, 8, 16)] == [4, 4, 4]
    assert len(label) == 24


def test_its_margins_are_those_of_a_machine_of_scikit_learn_with_a_cost_that_is_tried(fitted):
    from sklearn.svm import SVC

    rule, detector, faces, label = fitted
    with torch.no_grad():
        features = rule.machine_input(detector.nets, to_input(faces, CPU)).double().numpy()
    spread = np.ptp(features, axis=0)
    scaled = (features - features.min(axis=0))[:, spread > 0] / spread[spread > 0]
    scores = detector.score(faces)
    margins = np.where(scores >= 0.5, (scores - 0.5) / (1 - scores), (scores - 0.5) / scores)
    assert np.abs(margins).mean() == pytest.approx(1, rel=1e-3)

    def furthest(cost: float) -> float:
        found = SVC(C=4 * cost, kernel="linear", tol=1e-6).fit(scaled, label).decision_function(scaled)
        return float(np.abs(found / np.abs(found).mean() - margins).max())

    # The machine's features lie within [−1, 1] and these within [0, 1], so that a cost is four times as large.
    assert min(furthest(cost) for cost in machines.COSTS["linear"]) < 0.02


def test_an_export_scores_as_the_detector_does(fitted):
    onnxruntime = pytest.importorskip("onnxruntime")
    rule, detector, faces, _ = fitted
    model = to_onnx(PixelScorer(detector.nets, 32, None, rule))
    session = onnxruntime.InferenceSession(io.BytesIO(model).getvalue())
    (scores,) = session.run(None, {"image": faces[:5]})
    assert np.abs(scores - detector.score(faces[:5])).max() < 1e-5
