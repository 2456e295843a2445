"""The intervals that are compared, each for one figure of many sets at once.

Every method takes `Drawn` and returns the ends for all sets. References: percentile and basic interval, and BCa
with the jackknife over subjects: Efron & Tibshirani 1993, ch. 13 and 14, and Davison & Hinkley 1997, ch. 5;
bootstrap-t: the same, ch. 12; expanded percentile: Hesterberg 2015; Wilson's interval for clustered error
rates: Fogliato, Patil & Perona 2024;
Korn & Graubard 1998: evaluation/interval.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri, stdtrit

from rfmeta_dist.evaluation import interval
from rfmeta_dist.evaluation.bootstrap import DIFFERENCE
from rfmeta_dist.evaluation.interval import standard_error

Array = NDArray[np.float64]
Ends = tuple[Array, Array]
TAIL = (1 - interval.LEVEL) / 2


@dataclass(frozen=True)
class Drawn:
    """One figure of M sets.

    Attributes:
        name: the figure's name.
        point: M values on the sets themselves.
        values: M×B values on resamples, sorted in each set, NaN last.
        left_out: M×S values without one subject each; NaN where undefined.
        all_subjects: number of subjects of a set.
        subjects: M numbers of subjects that the figure is counted on (see `bootstrap.Counted`).
        recordings: M numbers of recordings.
        studentised: M×B resampled values of (figure − point)/(standard error), sorted; None where the standard
            error of a resample has no closed form.
    """

    name: str
    point: Array
    values: Array
    left_out: Array
    all_subjects: int
    subjects: Array
    recordings: Array
    studentised: Array | None = None

    @property
    def error(self) -> Array:
        """Return the M standard errors."""
        return standard_error(self.values, self.subjects)

    @property
    def student(self) -> float:
        """Return the quantile of Student's distribution for all subjects."""
        return float(stdtrit(self.all_subjects - 1, 1 - TAIL))

    @property
    def jackknife(self) -> Array:
        """Return M×S differences of the mean without a subject to the figure without it; 0 if undefined."""
        known = np.isfinite(self.left_out)
        mean = np.where(known, self.left_out, 0).sum(1, keepdims=True) / np.maximum(
            known.sum(1, keepdims=True), 1
        )
        return np.where(known, mean - self.left_out, 0.0)


def quantile(ordered: Array, share: Array | float) -> Array:
    """Return a quantile of each row of sorted values, of which NaN come last."""
    last = np.isfinite(ordered).sum(axis=1) - 1
    place = np.clip(share * last, 0, np.maximum(last, 0))
    below = np.floor(place).astype(np.int64)
    rows = np.arange(len(ordered))
    low, high = ordered[rows, below], ordered[rows, np.minimum(below + 1, np.maximum(last, 0))]
    found: Array = low + (place - below) * (high - low)
    return found


def percentile(drawn: Drawn) -> Ends:
    """Return the 2.5th and 97.5th percentile of the resamples."""
    return quantile(drawn.values, TAIL), quantile(drawn.values, 1 - TAIL)


def expanded(drawn: Drawn) -> Ends:
    """Return percentiles further out, by Student's t and √(n/(n − 1))."""
    n = drawn.all_subjects
    tail = float(ndtr(-drawn.student * np.sqrt(n / (n - 1))))
    return quantile(drawn.values, tail), quantile(drawn.values, 1 - tail)


def basic(drawn: Drawn) -> Ends:
    """Return the percentile interval mirrored at the point."""
    low, high = percentile(drawn)
    return 2 * drawn.point - high, 2 * drawn.point - low


def bca(drawn: Drawn) -> Ends:
    """Return the bias-corrected and accelerated interval."""
    count = np.isfinite(drawn.values).sum(axis=1)
    point = drawn.point[:, None]
    below = ((drawn.values < point).sum(1) + (drawn.values <= point).sum(1)) / (2 * np.maximum(count, 1))
    bias = ndtri(np.clip(below, 0.5 / drawn.values.shape[1], 1 - 0.5 / drawn.values.shape[1]))
    apart = drawn.jackknife
    squares = (apart**2).sum(1)
    skew = np.where(squares > 0, (apart**3).sum(1) / (6 * np.where(squares > 0, squares, 1) ** 1.5), 0)

    def end(z: float) -> Array:
        moved = bias + z
        return quantile(drawn.values, ndtr(bias + moved / (1 - skew * moved)))

    return end(float(ndtri(TAIL))), end(float(ndtri(1 - TAIL)))


def student(drawn: Drawn) -> Ends:
    """Return the point ± Student's t times the bootstrap's standard error."""
    half = drawn.student * drawn.error
    return drawn.point - half, drawn.point + half


def bootstrap_t(drawn: Drawn) -> Ends | None:
    """Return the studentised interval, with the standard error of a ratio by linearisation."""
    if drawn.studentised is None:
        return None
    low, high = quantile(drawn.studentised, 1 - TAIL), quantile(drawn.studentised, TAIL)
    error = np.nan_to_num(drawn.error)
    return drawn.point - np.nan_to_num(low) * error, drawn.point - np.nan_to_num(high) * error


def logit_t(drawn: Drawn) -> Ends | None:
    """Return Student's interval of the logit, transformed back, with half an error added to n subjects."""
    if drawn.name == DIFFERENCE:
        return None
    inner = (drawn.point * drawn.subjects + 0.5) / (drawn.subjects + 1)
    half = drawn.student * drawn.error / (inner * (1 - inner))
    return expit(logit(inner) - half), expit(logit(inner) + half)


def arcsine_t(drawn: Drawn) -> Ends | None:
    """Return Student's interval of arcsin √p, transformed back; a binomial's error where none was observed."""
    if drawn.name == DIFFERENCE:
        return None
    inside = (drawn.point > 0) & (drawn.point < 1) & (drawn.error > 0)
    point = np.where(inside, drawn.point, 0.5)
    error = np.where(inside, drawn.error / (2 * np.sqrt(point * (1 - point))), 0.5 / np.sqrt(drawn.subjects))
    middle = np.arcsin(np.sqrt(drawn.point))
    low, high = (np.clip(middle + sign * drawn.student * error, 0, np.pi / 2) for sign in (-1, 1))
    return np.sin(low) ** 2, np.sin(high) ** 2


def wilson(drawn: Drawn) -> Ends | None:
    """Return Wilson's interval for the number of independent samples with the same standard error."""
    if drawn.name == DIFFERENCE:
        return None
    variance = drawn.point * (1 - drawn.point)
    known = (drawn.error > 0) & (variance > 0)
    n = np.where(known, variance / np.where(known, drawn.error, 1) ** 2, drawn.subjects)
    t = drawn.student
    middle = (drawn.point + t**2 / (2 * n)) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * np.sqrt(variance / n + t**2 / (4 * n**2))
    return middle - half, middle + half


def chosen(drawn: Drawn) -> Ends:
    """Return the product's interval."""
    if drawn.name == DIFFERENCE:
        return interval.of_difference(drawn.point, drawn.error, drawn.subjects)
    return interval.of_rate(drawn.point, drawn.error, drawn.subjects, drawn.recordings)


BEFORE, AFTER = "percentile", "Korn-Graubard"
METHODS: Mapping[str, Callable[[Drawn], Ends | None]] = MappingProxyType(
    {
        BEFORE: percentile,
        "expanded percentile": expanded,
        "basic": basic,
        "BCa": bca,
        "Student's t": student,
        "bootstrap-t": bootstrap_t,
        "logit t": logit_t,
        "arcsine t": arcsine_t,
        "Wilson": wilson,
        AFTER: chosen,
    }
)
