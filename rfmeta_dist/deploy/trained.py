"""Deploy a trained model of hand-made features as it is, because its package holds plain arrays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import PackageError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.deploy import package
from rfmeta_dist.deploy.contract import contract
from rfmeta_dist.deploy.package import Deployment
from rfmeta_dist.detectors import package as models
from rfmeta_dist.texture.detector import KIND, FeatureDetector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.storage.store import Store

PRECISION = "fp64"


def open_package(folder: Store) -> Deployment:
    """Read a deployment package, or a trained model of hand-made features, and check all hashes.

    Args:
        folder: the folder of a deployment package, of a model, or of a run that has a model.

    Raises:
        PackageError: there is no deployment package, or a file of it was changed.
        RunError: the trained model is damaged.
        StorageError: the folder cannot be read.
    """
    if not folder.exists(package.ABOUT):
        for place in (folder, folder.sub("model")):
            if place.exists(models.ABOUT) and _kind(place.read(models.ABOUT)) == KIND:
                return _deployed(models.read(place))
    return package.read(folder)


def _kind(about: bytes) -> str:
    """Return the kind of a trained model, and "" if its package.json does not say: then it is none of ours."""
    try:
        return str(json.loads(about)["kind"])
    except (ValueError, KeyError, TypeError):
        return ""


def _deployed(model: models.Contents) -> Deployment:
    return Deployment(
        url=model.url,
        kind=KIND,
        name=str(model.about["config"]["run"]["name"]),
        precision=PRECISION,
        parent=model.sha256,
        scorer=model.scorer,
        input=contract(model.view, []),
        thresholds={unit: model.thresholds[unit] for unit in UNITS},
        operating_points=model.operating_points,
        about=model.about,
        files=model.files,
        sha256=model.sha256,
    )


class Features:
    """Computes the scores of crops by hand-made features; used in place of `Network`.

    Args:
        model: from `open_package`.

    Raises:
        PackageError: its arrays do not fit what it describes.
    """

    def __init__(self, model: Deployment) -> None:
        try:
            self._detector = FeatureDetector.of(model.about["detector"], model.files)
        except ValueError as error:
            raise PackageError(
                f"the model at {model.url} cannot be used: {error}", "train it again with this version"
            ) from error

    def scores(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Score B×H×W×3 uint8 RGB face crops. Return B numbers in [0, 1], higher is more live."""
        return self._detector.score(crops)
