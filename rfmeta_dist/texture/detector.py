"""A detector of hand-made features and a stored classifier, and how it is written and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_arrays
from safetensors.numpy import save as array_bytes

from rfmeta_dist.storage.store import Store
from rfmeta_dist.texture.api import Extractor, extractor
from rfmeta_dist.texture.classifier import Classifier

KIND = "features"
ARRAYS = "classifier.safetensors"
SCORE = "1/2 + m / (2 (c + |m|)), where m is the least margin of the support vector machines"


class FeatureDetector:
    """A detector that computes features of a face and classifies them. Fits the protocol detectors/api.py.

    Args:
        rule: class of the extractor, as `package.module:Class`.
        features: the extractor.
        classifier: scores its features.
    """

    kind = KIND
    wants: Literal["frame", "clip"] = "frame"

    def __init__(self, rule: str, features: Extractor, classifier: Classifier) -> None:
        self.extractor, self.classifier = features, classifier
        self._rule = rule

    def score(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the scores of B×S×S×3 RGB crops: B numbers in [0, 1], where higher means more live."""
        return self.classifier.scores(self.extractor.features(faces))

    def save(self, folder: Store) -> dict[str, Any]:
        """Write the classifier's arrays, and return the names that are needed to make the detector again."""
        folder.write(ARRAYS, array_bytes({k: np.ascontiguousarray(v) for k, v in self._arrays().items()}))
        return {
            "extractor": self._rule,
            "settings": self.extractor.settings,
            "machines": list(self.classifier.machines),
            "score": SCORE,
        }

    def _arrays(self) -> Mapping[str, NDArray[np.floating]]:
        return self.classifier.arrays()

    @classmethod
    def of(cls, about: Mapping[str, Any], files: Mapping[str, bytes]) -> FeatureDetector:
        """Make the detector again.

        Args:
            about: what `save` returned.
            files: contents of the files that it wrote, by name.

        Raises:
            ValueError: this version has no such extractor, or names and arrays do not fit each other.
        """
        try:
            features = extractor(about["extractor"], about["settings"])
            classifier = Classifier.of(parse_arrays(files[ARRAYS]), about["machines"])
        except (KeyError, TypeError, AttributeError, SafetensorError) as error:
            raise ValueError(f"a part is missing or of another form ({error!r})") from error
        if len(classifier.scaling.low) != features.length:
            raise ValueError(
                f"its classifier takes {len(classifier.scaling.low)} features, not {features.length}"
            )
        return cls(about["extractor"], features, classifier)
