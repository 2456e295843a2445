"""Fit support vector machines to features with scikit-learn, and choose their settings on the sources alone.

Kernels are computed here, and scikit-learn is given their values: it would compute them anew for each setting,
and more slowly. All functions use one thread, so that their results do not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core import seeds
from rfmeta_dist.texture.api import Kernel
from rfmeta_dist.texture.classifier import Machine, Scaling, as_scores, squared_distances

# Settings that are tried: those of bob.pad.face for the RBF kernel, and of this project for the linear one.
COSTS = {"rbf": tuple(2.0**e for e in range(-3, 14, 2)), "linear": tuple(2.0**e for e in range(-5, 6))}
GAMMAS = {"rbf": tuple(2.0**e for e in range(-15, 0, 2)), "linear": (0.0,)}
FOLDS = 5
LANDMARKS = 1000  # of the approximation
ROWS = 512  # rows of a matrix of kernels that are computed at once
LEAST_EIGENVALUE = 1e-10  # relative to the largest: smaller ones of the landmarks' kernel are left out

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Setting:
    """Cost C of errors, and γ of the RBF kernel (0 for the linear kernel)."""

    cost: float
    gamma: float


@dataclass(frozen=True)
class Fold:
    """A part of the cross-validation of one machine.

    Attributes:
        kernel: kernel of the machine.
        train: rows to fit to.
        test: rows to judge on; they show other videos.
    """

    kernel: Kernel
    train: Index
    test: Index


@dataclass(frozen=True)
class Fit:
    """A machine that is to be fitted.

    Attributes:
        kernel: its kernel.
        rows: rows to fit to.
        setting: its settings.
        exact: largest number of rows for which the RBF kernel is exact.
        seed: seed of the landmarks.
    """

    kernel: Kernel
    rows: Index
    setting: Setting
    exact: int
    seed: int


@dataclass(frozen=True)
class Data:
    """What all machines of a detector are fitted to.

    Attributes:
        features: n×d, scaled.
        labels: n, 1 live, 0 attack.
    """

    features: Features
    labels: Labels


def scaled(features: Features, scaling: Scaling) -> Features:
    """Return n×d scaled features in single precision, without a copy of all of them in double precision."""
    rows = range(0, len(features), ROWS)
    return np.concatenate([scaling.apply(features[start : start + ROWS]).astype(np.float32) for start in rows])


def settings(kernel: Kernel) -> list[Setting]:
    """Return the settings that are tried, those first that give the smoother classifier."""
    return [Setting(cost, gamma) for cost in COSTS[kernel] for gamma in GAMMAS[kernel]]


def folds(kernel: Kernel, rows: Index, labels: Labels, videos: NDArray[Any], seed: int) -> list[Fold]:
    """Divide rows into folds for cross-validation, all frames of a video in the same fold.

    Args:
        kernel: kernel of the machine.
        rows: the rows.
        labels: labels of all rows.
        videos: names of the videos of all rows.
        seed: seed of the division.

    Returns:
        At most 5 folds; [] if a class shows fewer than two videos, so that nothing can be judged.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    of_class = [len(np.unique(videos[rows[labels[rows] == label]])) for label in (0, 1)]
    count = min(FOLDS, *of_class)
    if count < 2:
        return []
    split = StratifiedGroupKFold(count, shuffle=True, random_state=seeds.seed("folds", seed) % 2**32)
    found = split.split(rows, labels[rows], videos[rows])
    return [
        Fold(kernel, rows[train], rows[test])
        for train, test in found
        if len(np.unique(labels[rows[train]])) == len(np.unique(labels[rows[test]])) == 2
    ]


def judged(data: Data, fold: Fold) -> NDArray[np.float64]:
    """Return the AUC of each of `settings` on the test rows of a fold.

    The AUC is that of the scores and not of the margins. With many features and a large γ, the kernel of two
    different frames is 1e-40 or so. Such margins still have an order, but they all have the same score.
    """
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        train, test = data.features[fold.train], data.features[fold.test]
        inner = _before_gamma(fold.kernel, train, train)
        outer = _before_gamma(fold.kernel, test, train)
        found = {}
        for gamma in GAMMAS[fold.kernel]:
            one, other = _kernel(inner, gamma), _kernel(outer, gamma)
            for cost in COSTS[fold.kernel]:
                machine = _solver(cost).fit(one, data.labels[fold.train])
                unit = float(np.abs(machine.decision_function(one)).mean()) or 1.0
                scores = as_scores(machine.decision_function(other), unit)
                found[Setting(cost, gamma)] = roc_auc_score(data.labels[fold.test], scores)
    return np.array([found[setting] for setting in settings(fold.kernel)])


def best(kernel: Kernel, scores: Sequence[NDArray[np.float64]], dimensions: int) -> tuple[Setting, float]:
    """Return the setting with the highest mean AUC over folds, and that AUC; NaN if there are no folds.

    Of equally good ones, the first of `settings` is taken. Without folds it is C = 1 and γ = 1/d, as libsvm's.
    """
    if not scores:
        return Setting(1.0, 1.0 / dimensions if kernel == "rbf" else 0.0), float("nan")
    mean = np.round(np.mean(scores, axis=0), 9)
    return settings(kernel)[int(mean.argmax())], float(mean.max())


def fitted(data: Data, order: Fit) -> Machine:
    """Fit a machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        features, labels = data.features[order.rows], data.labels[order.rows]
        if order.kernel == "rbf" and len(features) > order.exact:
            return _approximate(features, labels, order)
        kernel = _kernel(_before_gamma(order.kernel, features, features), order.setting.gamma)
        solved = _solver(order.setting.cost).fit(kernel, labels)
        weights, bias = solved.dual_coef_[0].astype(np.float64), float(solved.intercept_[0])
        support = features[solved.support_]
        if order.kernel == "rbf":
            return Machine(support, weights, bias, order.setting.gamma)
        linear = (weights @ support.astype(np.float64)).astype(np.float32)
        return Machine(linear[None], np.ones(1), bias, 0.0)


def _solver(cost: float) -> Any:
    from sklearn.svm import SVC

    return SVC(C=cost, kernel="precomputed", class_weight="balanced", cache_size=500)


def _approximate(features: Features, labels: Labels, order: Fit) -> Machine:
    """Fit a linear machine to features that approximate the kernel (Nyström), and return it with landmarks.

    The features are K(x, L) K(L, L)^(−1/2) for landmarks L, so the margin is a weighted sum of kernels again.
    """
    from sklearn.svm import LinearSVC

    chosen = np.sort(seeds.permutation(len(features), "landmarks", order.seed)[:LANDMARKS])
    landmarks, gamma = features[chosen], order.setting.gamma
    values, vectors = np.linalg.eigh(_kernel(_before_gamma("rbf", landmarks, landmarks), gamma))
    usable = values > LEAST_EIGENVALUE * values.max()
    root = vectors[:, usable] / np.sqrt(values[usable])
    mapped = _kernel(_before_gamma("rbf", features, landmarks), gamma) @ root
    solved = LinearSVC(C=order.setting.cost, class_weight="balanced", dual=False, random_state=0).fit(
        mapped, labels
    )
    return Machine(landmarks, root @ solved.coef_[0], float(solved.intercept_[0]), gamma)


def _before_gamma(kernel: Kernel, one: Features, other: Features) -> NDArray[np.float64]:
    """Return squared distances for the RBF kernel, and products for the linear one: n×m, as float64."""
    right = other.astype(np.float64)
    rows = (one[start : start + ROWS].astype(np.float64) for start in range(0, len(one), ROWS))
    parts = [squared_distances(some, right) if kernel == "rbf" else some @ right.T for some in rows]
    return np.concatenate(parts)


def _kernel(values: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    return np.exp(-gamma * values) if gamma else values
