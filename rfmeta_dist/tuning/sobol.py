"""Compute Sobol points, which fill the unit cube more evenly than random points.

Of the first 2^k points, each of 2^k equal intervals of a coordinate contains exactly one. The direction numbers
are the first ones of S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional
projections", SIAM J. Sci. Comput. 30 (2008), file new-joe-kuo-6.21201, which SciPy and PyTorch use too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

BITS = 32
# For each dimension: the primitive polynomial's coefficients as the bits of an integer, and the initial m.
DIRECTIONS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (1, ()),
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
    (103, (1, 1, 1, 15, 7, 5)),
    (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)),
    (131, (1, 3, 7, 11, 23, 15, 103)),
    (137, (1, 3, 7, 13, 13, 15, 69)),
)


def sobol(shifts: Sequence[int]) -> Iterator[tuple[float, ...]]:
    """Yield Sobol points without end, shifted digitally; the shift keeps the points even.

    Args:
        shifts: for each dimension, at most `len(DIRECTIONS)`, an integer in [0, 2^32) whose bits are added
            modulo 2 to those of the coordinates. Zeros give the original sequence.

    Yields:
        One coordinate in [0, 1) for each dimension.
    """
    directions = [_directions(*DIRECTIONS[dimension]) for dimension in range(len(shifts))]
    state = list(shifts)
    for index in range(2**BITS - 1):
        yield tuple(x / 2**BITS for x in state)
        bit = (
            ~index & (index + 1)
        ).bit_length() - 1  # the lowest bit of the index that is 0: its Gray code's change
        state = [x ^ direction[bit] for x, direction in zip(state, directions, strict=True)]


def _directions(polynomial: int, initial: tuple[int, ...]) -> list[int]:
    """Return the direction number of each bit by the recurrence of Bratley and Fox (1988)."""
    degree = len(initial)
    if degree == 0:
        return [1 << (BITS - 1 - bit) for bit in range(BITS)]
    m = list(initial)
    for k in range(degree, BITS):
        new = m[k - degree] ^ (m[k - degree] << degree)
        for power in range(1, degree):
            if polynomial >> (degree - power) & 1:
                new ^= m[k - power] << power
        m.append(new)
    return [value << (BITS - 1 - bit) for bit, value in enumerate(m)]
