"""Classify features with a support vector machine that is stored as plain arrays.

A margin is positive for live faces. It is mapped to a score by s(m) = 1/2 + m / (2 (c + |m|)), where c > 0 is
the mean absolute margin of the sources' training features. The map keeps the order of margins, and unlike a
logistic function it does not become 1 for large margins. Margins that differ by less than the rounding of c get
the same score. A score is no probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROWS = 256  # features whose distances are computed at once


@dataclass(frozen=True)
class Scaling:
    """Scales each feature so that its range over the sources' training data is [−1, 1].

    Attributes:
        low: d numbers, the smallest value of each feature.
        high: d numbers, the largest. A feature that has one value only becomes 0.
    """

    low: Floats
    high: Floats

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Scaling:
        """Return the scaling of n×d training features."""
        return cls(features.min(axis=0).astype(np.float64), features.max(axis=0).astype(np.float64))

    def apply(self, features: NDArray[np.floating]) -> Floats:
        """Return n×d scaled features. What lies outside of the training range lies outside of [−1, 1]."""
        spread = self.high - self.low
        varies = spread > 0
        scaled = (2.0 * features - (self.low + self.high)) / np.where(varies, spread, 1.0)
        found: Floats = np.where(varies, scaled, 0.0)
        return found


@dataclass(frozen=True)
class Machine:
    """A support vector machine, or its approximation by landmarks (Nyström), which has the same form.

    Attributes:
        vectors: for the RBF kernel, k×d support vectors or landmarks, float32; for the linear one, 1×d weights.
        weights: k weights of the vectors; 1 for the linear kernel.
        bias: added to the weighted sum of kernels.
        gamma: of the kernel exp(−γ ‖x − v‖²); 0 for the linear kernel x·v.
    """

    vectors: NDArray[np.float32]
    weights: Floats
    bias: float
    gamma: float

    def margins(self, features: NDArray[np.floating]) -> Floats:
        """Return the margins of n×d scaled features: n numbers, positive for live."""
        rows = (features[start : start + ROWS] for start in range(0, len(features), ROWS))
        parts = [self._some(some.astype(np.float64)) for some in rows]
        return np.concatenate([np.zeros(0), *parts])

    def _some(self, features: Floats) -> Floats:
        vectors = self.vectors.astype(np.float64)
        kernel = rbf(features, vectors, self.gamma) if self.gamma else features @ vectors.T
        found: Floats = kernel @ self.weights + self.bias
        return found


def squared_distances(one: Floats, other: Floats) -> Floats:
    """Return ‖x − y‖² of n×d and m×d features: n×m numbers, at least 0."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :]
    found: Floats = np.clip(squares - 2.0 * (one @ other.T), 0.0, None)
    return found


def rbf(one: Floats, other: Floats, gamma: float) -> Floats:
    """Return exp(−γ ‖x − y‖²) of n×d and m×d features: n×m numbers in [0, 1]."""
    found: Floats = np.exp(-gamma * squared_distances(one, other))
    return found


def as_scores(margins: Floats, unit: float) -> Floats:
    """Return the scores in [0, 1] of n margins, where `unit` is c of the map, positive."""
    found: Floats = 0.5 + 0.5 * margins / (unit + np.abs(margins))
    return found


@dataclass(frozen=True)
class Classifier:
    """Scores features.

    Attributes:
        scaling: scales the features.
        machines: by what each tells from live faces: an attack type, or `attack`. The least margin counts.
        unit: c of the map from margins to scores, positive.
    """

    scaling: Scaling
    machines: Mapping[str, Machine]
    unit: float

    def scores(self, features: Floats) -> Floats:
        """Return the scores of n×d features, not scaled: n numbers in [0, 1], higher means more live."""
        return as_scores(self.margins(features), self.unit)

    def margins(self, features: Floats) -> Floats:
        """Return the least margin of each of n×d features, not scaled."""
        scaled = self.scaling.apply(features)
        least: Floats = np.min([machine.margins(scaled) for machine in self.machines.values()], axis=0)
        return least

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return all that is stored, by name; `of` is the inverse."""
        found: dict[str, NDArray[np.floating]] = {"low": self.scaling.low, "high": self.scaling.high}
        found["unit"] = np.array([self.unit])
        for name, machine in self.machines.items():
            found[f"vectors.{name}"] = machine.vectors
            found[f"weights.{name}"] = machine.weights
            found[f"bias.{name}"] = np.array([machine.bias, machine.gamma])
        return found

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.floating]], names: Sequence[str]) -> Classifier:
        """Make a classifier of what `arrays` returned.

        Args:
            arrays: arrays by name.
            names: what the machines tell from live faces.

        Raises:
            KeyError: an array is missing.
            ValueError: the shapes of arrays do not fit each other, or a number is not finite.
        """
        machines = {}
        scaling = Scaling(arrays["low"].astype(np.float64), arrays["high"].astype(np.float64))
        for name in names:
            vectors, weights = arrays[f"vectors.{name}"], arrays[f"weights.{name}"].astype(np.float64)
            bias, gamma = arrays[f"bias.{name}"].tolist()
            machines[name] = Machine(vectors.astype(np.float32), weights, bias, gamma)
            if vectors.shape != (len(weights), len(scaling.low)):
                raise ValueError(f"{name} has {vectors.shape} vectors, but {len(weights)} weights")
        unit = float(arrays["unit"][0])
        if scaling.low.shape != scaling.high.shape or not machines or unit <= 0:
            raise ValueError("its arrays do not fit each other")
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise ValueError("it holds a number that is not finite")
        return cls(scaling, machines, unit)
