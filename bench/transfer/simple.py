"""Linear classifiers to compare the networks with: on spectrum rings, and on co-occurrences of residuals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.probes.cues import texture

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]
# The residual of predicting a pixel from its 3×3 neighbourhood (Fridrich & Kodovský 2012, "square 3×3").
RESIDUAL = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4
MOST = 2  # residuals are rounded to whole numbers and clipped to ± this
LEVELS = 2 * MOST + 1


def cooccurrence(picture: Pixels) -> Vector:
    """Count how often each triple of neighbouring residuals occurs.

    Args:
        picture: H×W×3 RGB.

    Returns:
        125 square roots of shares, which sum to 1 before the root is taken; across and down together.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    residual = cv2.filter2D(grey, -1, RESIDUAL)[1:-1, 1:-1]
    level = np.clip(np.rint(residual), -MOST, MOST).astype(np.int64) + MOST
    counts = np.zeros(LEVELS**3)
    for field in (level, level.T):
        triples = (field[:, :-2] * LEVELS + field[:, 1:-1]) * LEVELS + field[:, 2:]
        counts += np.bincount(triples.ravel(), minlength=LEVELS**3)
    roots: Vector = np.sqrt(counts / counts.sum()).astype(np.float32)
    return roots


CUES: Mapping[str, Callable[[Pixels], Vector]] = {"texture": texture, "cooccurrence": cooccurrence}


class LinearDetector:
    """Logistic regression on a cue.

    Args:
        cue: a key of CUES.
        batches: batches of every source, each picture once. A patch is a sample of its own.
    """

    kind = "linear"
    wants: Literal["frame", "clip"] = "frame"

    def __init__(self, cue: str, batches: Iterator[RawBatch]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._cue = CUES[cue]
        features, labels = [], []
        for batch in batches:
            features.append(self._features(batch.image))
            labels.append(batch.label)
        # The classes have equal weights. Regularisation and iterations are those of the leak probes.
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
        self._model = make_pipeline(StandardScaler(), model)
        self._model.fit(np.concatenate(features), np.concatenate(labels).ravel())

    def score(self, faces: Pixels) -> NDArray[np.float64]:
        """Score B×S×S×3 RGB pictures: B probabilities of live."""
        found: NDArray[np.float64] = self._model.predict_proba(self._features(faces))[:, 1]
        return found

    def _features(self, pictures: Sequence[Pixels] | Pixels) -> Vector:
        return np.stack([self._cue(picture) for picture in pictures])
