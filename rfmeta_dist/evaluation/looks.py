"""Read some faces of a domain, and look at what a detector computes of each on the way to its score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.decode import DEPTH_STRIDE
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.detectors.api import Explained, Inside, View
from rfmeta_dist.evaluation.face_maps import over_face
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from rfmeta_dist.config.schema import Data
    from rfmeta_dist.detectors.package import Package
    from rfmeta_dist.evaluation.chosen import Chosen
    from rfmeta_dist.evaluation.face_maps import Map
    from rfmeta_dist.evaluation.scores import Scores

Where = tuple[Store, Manifest, Split | None]  # the store of the shards, the domain, and which split
BATCH = 32  # images at a time
_SMALLEST = 1e-12  # a threshold is taken to be this far from 0 and 1 at least, so that its logit is finite


@dataclass(frozen=True)
class Look:
    """How the score of one face comes about.

    Attributes:
        over: the logit less the logit of the threshold, at least 0 if a whole face is accepted; of a face in
            patches, the mean over the patches.
        evidence: GRID×GRID over the face crop: the class activation, shifted so that its mean over the places
            of the network is `over`. Positive speaks for live. NaN where the detector does not look.
        features: C pooled features; of a face in patches, their mean.
        depth: GRID×GRID predicted depth, 1 is nearest; None if the detector predicts none.
        depth_label: GRID×GRID, the depth that training asks for; zero everywhere for an attack.
        places: number of places per side of the class activation map of one face or patch.
    """

    over: float
    evidence: Map
    features: NDArray[np.float64]
    depth: Map | None
    depth_label: Map
    places: int


def logit_of(threshold: float) -> float:
    """Return log(t / (1 − t)) of a threshold, which is taken to lie a little within 0 and 1."""
    inside = min(max(threshold, _SMALLEST), 1 - _SMALLEST)
    return float(np.log(inside / (1 - inside)))


def looks(
    detector: Explained, model: Package, data: Data, where: Where, keys: Collection[str]
) -> dict[str, Look]:
    """Return a look at each face with one of these keys.

    Args:
        detector: the model's detector.
        model: the package, which has the view and the threshold for a frame.
        data: the `data` section of the run.
        where: the domain.
        keys: of samples of the domain.

    Raises:
        DataError: a shard or sample is damaged, or its images are too small.
        RunError: a logit is not a number, or the split has no sample of one of the keys.
    """
    found: dict[str, Look] = {}
    at = logit_of(model.thresholds["frame"].value)
    for raw in _read(data, model.view, where, keys):
        inside = detector.inside(raw.image)
        if not np.isfinite(inside.activation).all():
            raise RunError(
                f"the model's class activation of sample {raw.keys[0]} or one near it is not a number, because "
                "its training diverged",
                "lower method.inner_learning_rate or training.learning_rate, and train again under a new "
                "run.name",
            )
        start = 0
        for key, group in groupby(raw.keys):
            rows = range(start, start := start + len(list(group)))
            found[key] = _look(inside, raw.rows(rows), rows, at)
    missing = sorted(set(keys) - set(found))
    if missing:
        raise RunError(
            f"sample {missing[0]} was scored, but is not in the split of {where[1].domain} that the run reads "
            "now",
            "judge the run again first: rfmeta evaluate RUN",
        )
    return found


def _look(inside: Inside, raw: RawBatch, rows: range, at: float) -> Look:
    """Return the look at one face, whose images are `rows` of what was looked into."""
    part = slice(rows.start, rows.stop)
    side = raw.image.shape[1]
    places = np.zeros((1, 2), np.int32) if raw.place is None else raw.place[:, :2]
    crop = side if raw.place is None else int(raw.place[0, 2])
    of_depth = (places, DEPTH_STRIDE, side, crop)
    activation = over_face(inside.activation[part], places, inside.stride, side, crop)
    depth = None if inside.depth is None else over_face(inside.depth[part], *of_depth)
    return Look(
        over=float(inside.logit[part].mean()) - at,
        evidence=activation + (inside.bias - at),
        features=inside.features[part].mean(axis=0),
        depth=depth,
        depth_label=over_face(raw.depth / 255, *of_depth),
        places=inside.activation.shape[1],
    )


def pictures(
    data: Data, view: View, where: Where, wanted: Sequence[Chosen], averaged: Scores
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, NDArray[np.uint8]]]:
    """Return the faces to show by key, and the mean of the averaged faces by type.

    Args:
        data: the `data` section of the run.
        view: of whole faces.
        where: the domain.
        wanted: the frames to show.
        averaged: the frames over which to average, with their types.
    """
    keys = {one.key for one in wanted}
    kind = dict(zip(averaged.key.tolist(), averaged.attack_type.tolist(), strict=True))
    shown: dict[str, NDArray[np.uint8]] = {}
    total = {name: np.zeros((view.image_size, view.image_size, 3)) for name in kind.values()}
    count = dict.fromkeys(total, 0)
    for raw in _read(data, view, where, keys | set(kind)):
        for key, image in zip(raw.keys, raw.image, strict=True):
            if key in keys:
                shown[key] = image.copy()
            if key in kind:
                total[kind[key]] += image
                count[kind[key]] += 1
    return shown, {name: (total[name] / count[name]).round().astype(np.uint8) for name in total}


def _read(data: Data, view: View, where: Where, keys: Collection[str]) -> Iterator[RawBatch]:
    store, manifest, split = where
    return scan(
        store,
        manifest,
        split,
        image_size=view.image_size,
        batch=BATCH,
        cache=Cache.of_node(data.prefix, data.cache_gb),
        patches=view.patches,
        only=keys,
    )
