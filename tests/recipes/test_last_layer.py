"""The layer that is fitted after training is the support vector machine that scikit-learn finds."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.api import ScoreError
from rfmeta_dist.export.graph import PixelScorer, to_onnx
from rfmeta_dist.methods import METHODS
from rfmeta_dist.models.build import build
from rfmeta_dist.models.preprocess import to_input
from rfmeta_dist.recipes import gradient, last_layer, machines
from rfmeta_dist.recipes.gradient import GradientDetector
from tests.stored import SHARDS

CPU = torch.device("cpu")
FITTED = {name: rule for name, rule in METHODS.items() if rule.MACHINE}


class Case(NamedTuple):
    """A configuration, its sources, a detector of random networks, and what its machine was fitted to."""

    config: Config
    sources: Sources
    detector: GradientDetector
    faces: NDArray[np.uint8]
    label: NDArray[np.float32]


@pytest.fixture(scope="module", params=FITTED)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    tree = {
        "run": {"name": "a", "folder": str(tmp_path_factory.mktemp("runs"))},
        "data": {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "image_size": 32, "batch": 6},
        "model": {"width": 0.03},
        "method": {"name": request.param, "fitted_frames": 8},
    }
    config = check(tree, "test")
    sources = Sources.of(config)
    nets = build(config.model, extra=METHODS[request.param].scored_modules(config.model)).initialise(0)
    rows = [raw for raw, _ in last_layer._batches(config, sources)]
    detector, words = gradient.recalibrated(nets, config, sources, CPU)
    assert words.endswith("24 training images of O, C, I")
    faces, label = (np.concatenate([getattr(raw, name) for raw in rows]) for name in ("image", "label"))
    return Case(config, sources, detector, faces, label)


def test_each_class_of_a_source_gives_as_many_frames_as_the_smallest_of_all_has(case: Case):
    # 8 frames of each are asked for, but there are 4 live ones in each domain.
    assert [(case.label[at : at + 8] == 1).sum() for at in (0, 8, 16)] == [4, 4, 4]
    assert len(np.unique(case.faces.reshape(24, -1), axis=0)) == 24


def test_its_margins_are_those_of_a_machine_of_scikit_learn_with_a_cost_that_is_tried(case: Case):
    from sklearn.svm import SVC

    detector = case.detector
    with torch.no_grad():
        features = detector.rule.machine_input(detector.nets, to_input(case.faces, CPU)).double().numpy()
    spread = np.ptp(features, axis=0)
    varies = spread > 1e-6 * spread.max()
    scaled = (features - features.min(axis=0))[:, varies] / spread[varies]
    scores = detector.score(case.faces)
    margins = np.where(scores >= 0.5, (scores - 0.5) / (1 - scores), (scores - 0.5) / scores)
    assert np.abs(margins).mean() == pytest.approx(1, rel=1e-3)

    def furthest(cost: float) -> float:
        found = SVC(C=4 * cost, kernel="linear", tol=1e-6).fit(scaled, case.label).decision_function(scaled)
        return float(np.abs(found / np.abs(found).mean() - margins).max())

    # The machine's features lie within [−1, 1] and these within [0, 1], so that a cost is four times as large.
    assert min(furthest(cost) for cost in machines.COSTS["linear"]) < 0.02


def test_features_that_hardly_vary_get_no_weight():
    rows = np.array([[0, 0, 0.5], [1, 1e-9, 0.5]], np.float32)
    assert last_layer._scaling(rows).apply(rows).tolist() == [[-1, 0, 0], [1, 0, 0]]


def test_networks_that_diverged_are_reported_as_such(case: Case):
    nets = copy.deepcopy(case.detector.nets)
    with torch.no_grad():
        nets.extra["network"].conv5.bias.fill_(torch.inf)
    spoilt, _ = gradient.recalibrated(nets, case.config, case.sources, CPU)
    with pytest.raises(ScoreError, match="diverged"):
        spoilt.score(case.faces)


def test_an_export_scores_as_the_detector_does(case: Case):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = to_onnx(PixelScorer(case.detector.nets, 32, None, case.detector.rule))
    (scores,) = onnxruntime.InferenceSession(model).run(None, {"image": case.faces[:5]})
    assert np.abs(scores - case.detector.score(case.faces[:5])).max() < 1e-5
