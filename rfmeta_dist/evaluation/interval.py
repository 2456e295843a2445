"""Compute 95 % intervals from a figure's value, its standard error over subjects, and what it was counted on.

The interval of a rate is that of Korn & Graubard (1998, Survey Methodology 24), made for shares in samples of
clusters: the exact binomial interval of Clopper & Pearson for as many independent recordings as would give
the same standard error, corrected by Student's t for few clusters. That number is never put above the number
of recordings, because recordings of one person tend to be alike. Of the intervals compared in bench/intervals,
this one contains the true value most reliably, also where errors are rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_SAME = 1e-12  # a standard error below this is rounding: the figure is equal in all resamples


def standard_error(values: Array, people: ArrayLike) -> Array:
    """Return the standard error of figures from their resamples, which are on the last axis.

    The standard deviation is multiplied by √(n/(n − 1)), because resamples of n subjects vary by so much less.
    NaN are left out. The error is NaN if fewer than two values remain, or if n is below 2.
    """
    import numpy as np

    known = np.isfinite(values)
    count, n = known.sum(axis=-1), np.asarray(people)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=-1) / count
        squares = (np.where(known, values - mean[..., None], 0) ** 2).sum(axis=-1)
        error: Array = np.sqrt(
            squares / np.where(count > 1, count, np.nan) * n / np.where(n > 1, n - 1, np.nan)
        )
    return error


def of_rate(
    value: ArrayLike, error: ArrayLike, subjects: ArrayLike, recordings: ArrayLike
) -> tuple[Array, Array]:
    """Return the ends of the 95 % intervals of figures in [0, 1]: rates, and AUC, which is a share of pairs.

    If no error was observed, or nothing but errors, the standard error says nothing. The interval then reaches
    as far from the value as the exact one of `subjects` people without an error: 1 − 0.025^(1/subjects), which
    is about 3.7/subjects. This also holds for any other figure that is equal in all resamples.

    Args:
        value: any shape, in [0, 1].
        error: standard errors; NaN where they are unknown. All shapes must fit by numpy's rules.
        subjects: numbers of people that the figures are computed from. With fewer than two, or with an unknown
            standard error, the interval is [0, 1].
        recordings: numbers of recordings that the figures are computed from.

    Returns:
        Two arrays of the common shape, with 0 ≤ low ≤ value ≤ high ≤ 1.
    """
    import numpy as np
    from scipy.special import ndtri

    value, half = np.asarray(value, np.float64), _half(error, subjects)
    reach = np.fmax(_reach(subjects), half)
    counted = (half > _SAME) & (value > 0) & (value < 1)
    share = np.where(counted, value, 0.5)
    independent = share * (1 - share) / np.where(counted, error, 1) ** 2
    samples = _corrected(np.minimum(independent, recordings), ndtri(_TAIL), subjects, _TAIL)
    exact_low, exact_high = _exact(share, np.where(counted, samples, 1), _TAIL)
    low = np.where(counted, exact_low, value - reach)
    high = np.where(counted, exact_high, value + reach)
    return _around(value, low, high, 0, np.isfinite(half))


def of_effective(point: Array, n: Array, people: Array, effective: Array, alpha: float) -> tuple[Array, Array]:
    """Return the ends of Korn and Graubard's intervals of G rates whose effective numbers are known.

    Args:
        point: G error rates in [0, 1].
        n: G numbers of recordings.
        people: G numbers of people, at least 2.
        effective: G effective numbers of recordings, > 0.
        alpha: probability in (0, 1) that an interval may miss its rate, half of it on each side.
    """
    import numpy as np
    from scipy.special import stdtrit

    tail = alpha / 2
    corrected = _corrected(effective, stdtrit(np.maximum(n - 1, 1), tail), people, tail)
    return _exact(point, np.minimum(corrected, effective), tail)


def _corrected(effective: Array, quantile: Array, people: ArrayLike, tail: float) -> Array:
    """Return Korn and Graubard's number of independent recordings, corrected for few people.

    Args:
        effective: the number that would give the same standard error.
        quantile: the quantile of `tail` if the standard error were known as well as from all recordings.
        people: numbers of people; the result is NaN if below 2.
        tail: probability in (0, 0.5) that the interval may miss the rate on one side.
    """
    corrected: Array = effective * (quantile / _student(people, tail)) ** 2
    return corrected


def _exact(share: Array, samples: Array, tail: float) -> tuple[Array, Array]:
    """Return the ends of Clopper and Pearson's intervals of rates of so many samples, also of a part of one."""
    import numpy as np
    from scipy.special import betaincinv

    errors, rest = samples * share, samples * (1 - share)
    # scipy gives NaN for next to no samples, and if no error or nothing but errors was observed. The ends are
    # then those of the range.
    low = np.nan_to_num(betaincinv(errors, rest + 1, tail), nan=0)
    high = np.nan_to_num(betaincinv(errors + 1, rest, 1 - tail), nan=1)
    return low, high


def of_difference(value: ArrayLike, error: ArrayLike, subjects: ArrayLike) -> tuple[Array, Array]:
    """Return the ends of the 95 % intervals of figures in [−1, 1], by Student's t with `subjects` − 1 degrees.

    Arguments and result are as in `of_rate`, with −1 in place of 0.
    """
    import numpy as np

    value, half = np.asarray(value, np.float64), _half(error, subjects)
    reach = np.where(half > _SAME, half, _reach(subjects))
    return _around(value, value - reach, value + reach, -1, np.isfinite(half))


def _half(error: ArrayLike, subjects: ArrayLike) -> Array:
    """Return half the width of Student's interval; NaN where it is unknown."""
    import numpy as np

    half: Array = np.asarray(error) * -_student(subjects, _TAIL)
    return half


def _student(subjects: ArrayLike, tail: float) -> Array:
    """Return a quantile of Student's distribution with `subjects` − 1 degrees; NaN if these are below 1."""
    import numpy as np
    from scipy.special import stdtrit

    number = np.asarray(subjects, np.float64)
    quantile: Array = stdtrit(np.where(number > 1, number - 1, np.nan), tail)
    return quantile


def _reach(subjects: ArrayLike) -> Array:
    """Return the upper end of the exact interval of a rate of which no error was observed in so many people."""
    import numpy as np

    reach: Array = 1 - _TAIL ** (1 / np.maximum(subjects, 1))
    return reach


def _around(value: Array, low: Array, high: Array, least: int, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the ends, moved so that they contain the value and lie in [least, 1]; all of it where unknown."""
    import numpy as np

    low, high = np.minimum(low, value), np.maximum(high, value)  # they contain it, except for rounding
    return np.where(known, np.maximum(low, least), least), np.where(known, np.minimum(high, 1), 1)
