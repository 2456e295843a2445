"""Linear classifiers on invented pictures, where it is known what tells them apart."""

import numpy as np
import pytest

from bench.transfer.simple import LinearDetector, cooccurrence
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.evaluation.rates import auc


def test_cooccurrences_see_fine_detail_and_no_shading():
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(20, 200, 64), (64, 1))
    smooth = np.dstack([ramp] * 3).astype(np.uint8)
    flat = cooccurrence(smooth)
    assert flat.shape == (125,)
    assert (flat**2).sum() == pytest.approx(1.0)
    assert flat.argmax() == 62  # three residuals of nought
    grain = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    assert cooccurrence(grain)[62] < 0.5 * flat[62]
    assert cooccurrence(np.ascontiguousarray(grain.transpose(1, 0, 2))) == pytest.approx(cooccurrence(grain))


def test_a_linear_classifier_tells_coarse_grain_from_fine():
    rng = np.random.default_rng(0)

    def batch(count):
        label = np.arange(count) % 2
        fine = rng.integers(90, 160, (count, 64, 64, 3))
        coarse = rng.integers(90, 160, (count, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2)
        image = np.where(label[:, None, None, None] == 1, fine, coarse).astype(np.uint8)
        depth = np.zeros((count, 8, 8), np.uint8)
        return RawBatch(image, depth, label.astype(np.float32), tuple(map(str, range(count))))

    for cue in ("texture", "cooccurrence"):
        detector, judged = LinearDetector(cue, iter([batch(16)])), batch(10)
        assert auc(judged.label.astype(int), detector.score(judged.image)) == 1.0
