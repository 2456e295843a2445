"""Compute histograms of local phase quantisation.

Ojansivu and Heikkilä, "Blur insensitive texture classification using local phase quantization", ICISP 2008.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.texture.lbp import histograms

WINDOW = 7  # pixels; the lowest frequency is 1 / WINDOW
CORRELATION = 0.9  # of neighbouring pixels, in the model by which the coefficients are decorrelated
# A coefficient over pixels of one value is 0 except for rounding, which differs between processors. It counts
# as positive.
ROUNDING = 1e-8
# Parity of the coefficients' filters in x and y: even-even, odd-odd, odd in x, odd in y.
GROUPS = ((0, 1, 2), (3,), (4, 5), (6, 7))


def lpq(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the histogram of the 8-bit codes of B×H×W grey images: B×256, each row sums to 1.

    The codes are the signs of eight decorrelated Fourier coefficients of a window around each pixel whose
    window lies within the image.
    """
    coefficients = fourier(images)
    code = np.zeros(coefficients.shape[1:], np.intp)
    for bit, weights in enumerate(whitening()):
        mixed = sum(w * coefficients[i] for i, w in enumerate(weights) if w)
        code |= (mixed >= -ROUNDING).astype(np.intp) << bit
    return histograms(code, 256)


def fourier(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return coefficients of windows at the lowest frequencies: 8×B×(H − 6)×(W − 6).

    With c and s for cosine and sine of 2π/7 times the offset, these are the sums of the window times: c(x),
    c(y), c(x)c(y), s(x)s(y), s(x), s(x)c(y), s(y), c(x)s(y). They hold the same as real and imaginary parts at
    the frequencies (a, 0), (0, a), (a, a) and (a, −a), ordered by parity.
    """
    values = images.astype(np.float64)
    flat, cosine, sine = _filters()
    across = {name: _along(values, weights, -1) for name, weights in (("1", flat), ("c", cosine), ("s", sine))}
    even = (("c", flat), ("1", cosine), ("c", cosine))
    order = (*even, ("s", sine), ("s", flat), ("s", cosine), ("1", sine), ("c", sine))
    return np.stack([_along(across[name], weights, -2) for name, weights in order])


def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    offset = np.arange(WINDOW) - WINDOW // 2
    angle = 2 * np.pi * offset / WINDOW
    return np.ones(WINDOW), np.cos(angle), np.sin(angle)


def _along(values: NDArray[np.float64], weights: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the sums of neighbours times weights along an axis, where all neighbours exist."""
    length = values.shape[axis] - WINDOW + 1
    moved = np.moveaxis(values, axis, 0)
    total = sum(weight * moved[i : i + length] for i, weight in enumerate(weights))
    return np.moveaxis(np.asarray(total), 0, axis)


@cache
def whitening() -> NDArray[np.float64]:
    """Return the 8×8 matrix that decorrelates the coefficients of `fourier` in the model of the paper.

    The model correlates pixels at distance r by CORRELATION^r. Coefficients of different parity are not
    correlated, so each group is decorrelated alone. A decomposition of all eight together, as in other code,
    has pairs of equal eigenvalues and so no unique result: its codes differ between machines. Rows are in the
    order of the groups, then of falling eigenvalues; the first entry of each row that is not 0 is positive.
    """
    offset = np.arange(WINDOW)
    y, x = (grid.ravel() for grid in np.meshgrid(offset, offset, indexing="ij"))
    distance = np.hypot(y[:, None] - y, x[:, None] - x)
    flat, cosine, sine = _filters()
    even = ((flat, cosine), (cosine, flat), (cosine, cosine))
    pairs = (*even, (sine, sine), (flat, sine), (cosine, sine), (sine, flat), (sine, cosine))
    filters = np.stack([np.outer(down, across).ravel() for down, across in pairs])
    # The coefficients at (a, a) and (a, −a) are sums and differences of two of these. With both scaled by √2,
    # that change is a rotation, and rotations keep what is decorrelated.
    filters[[2, 3, 5, 7]] *= np.sqrt(2)
    covariance = filters @ CORRELATION**distance @ filters.T
    whole = np.zeros((8, 8))
    row = 0
    for group in GROUPS:
        _, vectors = np.linalg.eigh(covariance[np.ix_(group, group)])
        for vector in vectors.T[::-1]:
            first = vector[np.abs(vector) > 1e-6][0]
            whole[row, list(group)] = vector * np.sign(first)
            row += 1
    whole[:, [2, 3, 5, 7]] *= np.sqrt(2)
    return whole
