"""Fit a detector of hand-made features and support vector machines, or load one, without Ray and torch.

The features of the sources' training frames are scaled, the settings of each machine are chosen by
cross-validation grouped by video, and the machine is fitted to all frames. A method of several machines has one
for each attack type of the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.package import Contents, damaged
from rfmeta_dist.recipes import frames, machines
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.frames import Frame, Kept, Order, Parts
from rfmeta_dist.recipes.machines import Data, Fit
from rfmeta_dist.storage.store import Store
from rfmeta_dist.texture.api import Kernel
from rfmeta_dist.texture.classifier import Classifier, Machine, Scaling
from rfmeta_dist.texture.detector import KIND, FeatureDetector

__all__ = ["KIND", "FeatureRecipe", "Found", "read_detector"]

GRID_FRAMES = 1000  # frames among which settings are chosen; more take long and hardly change the choice
ATTACK = "attack"  # names the machine of a method that has one for all attacks

Extract = Callable[[Order, Sources, str], Parts]
Spread = Callable[[Callable[[Data, Any], Any], Data, Sequence[Any]], Sequence[Any]]


def in_turn(work: Callable[[Data, Any], Any], data: Data, items: Sequence[Any]) -> Sequence[Any]:
    """Return `work(data, item)` for each item, computed in this process."""
    return [work(data, item) for item in items]


@dataclass(frozen=True)
class Found:
    """The training frames of all sources, with their features.

    Attributes:
        features: n×d, as stored; equally many rows of each domain and class.
        labels: n, 1 live, 0 attack.
        videos: n texts, `DOMAIN/VIDEO`.
        types: n attack types; `live` for live faces.
        turn: n whole numbers: the place of the frame among those of its domain and class.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    videos: NDArray[np.str_]
    types: NDArray[np.str_]
    turn: NDArray[np.intp]


class FeatureRecipe:
    """Computes features of the sources and fits their classifier.

    Args:
        folder: the folder in which features are kept for other runs; None to keep none.
        extract: computes the features of a domain; in this process if not given.
        spread: does many fits; in this process, one after another, if not given. The detector is the same
            wherever they are done.
        say: called with each message for the user.
    """

    def __init__(
        self,
        folder: Store | None = None,
        extract: Extract = frames.here,
        spread: Spread = in_turn,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._kept, self._extract, self._spread, self._say = Kept(folder), extract, spread, say

    def fit(self, sources: Sources, context: Context) -> FeatureDetector:
        """Fit a detector to the sources' training splits, and return it.

        Raises:
            DataError: a source is damaged or has samples of one class only.
            StorageError: the sources cannot be read, or the folder of features cannot be written.
        """
        order = Order.of(context.config)
        found = self.gather(order, sources)
        for text in frames.lossy(list(sources.manifests.values())):
            self._say(text)
        scaling = Scaling.of(found.features)
        data = Data(machines.scaled(found.features, scaling), found.labels)
        method, seed = context.config.method, context.config.training.seed
        exact = getattr(method, "exact_frames", 0)
        fitted = self._machines(order, data, found, exact, seed)
        least = np.min([one.margins(data.features) for one in fitted.values()], axis=0)
        unit = float(np.abs(least).mean()) or 1.0
        return FeatureDetector(order.rule, order.extractor, Classifier(scaling, fitted, unit))

    def gather(self, order: Order, sources: Sources) -> Found:
        """Return the training frames of all sources, equally many of each domain and class, with features.

        Features that are not kept are computed, one domain after another, and kept.
        """
        chosen = {}
        for name, manifest in sources.manifests.items():
            for label in (1, 0):
                manifest.stream("train", label)  # raises an error if a class is missing
            chosen[name] = frames.chosen(manifest, order.frames)
        count = min(len(of_class) for classes in chosen.values() for of_class in classes.values())
        rows, taken = [], list[tuple[str, int, Frame]]()
        for name, classes in chosen.items():
            features = self._of_domain(order, sources, name)
            first = len(classes[1])  # the first attack
            rows += [features[:count], features[first : first + count]]
            taken += [
                (name, turn, frame) for label in (1, 0) for turn, frame in enumerate(classes[label][:count])
            ]
        return Found(
            np.concatenate(rows),
            np.array([frame.label for *_, frame in taken], np.int64),
            np.array([f"{name}/{frame.video}" for name, _, frame in taken]),
            np.array([frame.attack_type for *_, frame in taken]),
            np.array([turn for _, turn, _ in taken], np.intp),
        )

    def _of_domain(self, order: Order, sources: Sources, name: str) -> NDArray[np.float32]:
        manifest = sources.manifests[name]
        kept = self._kept.read(order, manifest)
        if kept is None:
            kept = frames.arranged(order, manifest, self._extract(order, sources, name))
            self._kept.write(order, manifest, kept)
            self._say(f"features of {len(kept):,} frames of {name} are computed")
        return kept

    def _machines(self, order: Order, data: Data, found: Found, exact: int, seed: int) -> dict[str, Machine]:
        kernel = order.extractor.kernel
        rows = dict(_rows(found, by_attack=order.extractor.by_attack))
        grid = {
            name: machines.folds(kernel, first_of_each(of, found), data.labels, found.videos, seed)
            for name, of in rows.items()
        }
        items = [(name, fold) for name, folds in grid.items() for fold in folds]
        scores = self._spread(machines.judged, data, [fold for _, fold in items])
        fits = []
        for name, of in rows.items():
            mine = [score for (whose, _), score in zip(items, scores, strict=True) if whose == name]
            setting, auc = machines.best(kernel, mine, data.features.shape[1])
            self._say(_words(name, kernel, setting, auc, len(of)))
            fits.append(Fit(kernel, of, setting, exact, seed))
        return dict(zip(rows, self._spread(machines.fitted, data, fits), strict=True))


def _rows(found: Found, *, by_attack: bool) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield for each machine what it tells from live faces, and the rows that it is fitted to."""
    live = found.labels == 1
    kinds = sorted(set(found.types[~live].tolist())) if by_attack else []
    if len(kinds) < 2:
        yield ATTACK, np.arange(len(live))
        return
    for kind in kinds:
        yield kind, np.flatnonzero(live | (found.types == kind))


def first_of_each(rows: NDArray[np.intp], found: Found) -> NDArray[np.intp]:
    """Return the rows among which settings are chosen: the first frames of each domain and class.

    Args:
        rows: rows of `found`.
        found: the training frames.

    Returns:
        Of `rows`, those of as many frames of each domain and class as make at most GRID_FRAMES rows, but at
        least the first ones.
    """
    turn = found.turn[rows]
    if len(turn) <= GRID_FRAMES:
        return rows
    chosen: NDArray[np.intp] = rows[turn < max(1, np.partition(turn, GRID_FRAMES)[GRID_FRAMES])]
    return chosen


def _words(name: str, kernel: Kernel, setting: machines.Setting, auc: float, frames: int) -> str:
    gamma = f" and γ = {setting.gamma:g}" if kernel == "rbf" else ""
    how = (
        "as given, because there are too few videos to choose"
        if np.isnan(auc)
        else f"chosen by cross-validation, where its mean AUC is {auc:.3f}"
    )
    attacks = "all attacks" if name == ATTACK else f"attacks of type {name}"
    return f"classifier of live faces against {attacks}, {frames:,} frames: C = {setting.cost:g}{gamma} ({how})"


def read_detector(contents: Contents, device: str) -> FeatureDetector:  # noqa: ARG001 - numpy computes on the CPU
    """Make the detector of a model package.

    Raises:
        RunError: the arrays do not fit what the package describes.
    """
    try:
        return FeatureDetector.of(contents.detector, contents.files)
    except ValueError as error:
        raise damaged(contents.url, error) from error


def described(detector: FeatureDetector) -> Mapping[str, Any]:
    """Return facts about a fitted detector for its package: numbers of features, and of vectors by machine."""
    vectors = {name: len(machine.weights) for name, machine in detector.classifier.machines.items()}
    return {"features": detector.extractor.length, "vectors": vectors}
