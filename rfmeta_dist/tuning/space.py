"""Turn points of the unit cube into values of a search space's fields, and those into configurations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.config.distribution import Distribution, active
from rfmeta_dist.config.space import apply

__all__ = ["Distribution", "active", "apply", "point", "rounded"]

DIGITS = 6  # significant digits of a continuous value


def point(space: Mapping[str, Distribution], unit: Sequence[float]) -> dict[str, Any]:
    """Return the values of a space's fields at a point of the unit cube.

    Args:
        space: dotted field → distribution.
        unit: a coordinate in [0, 1] for each field, in the alphabetical order of the fields. So the order of
            the file does not matter.

    Returns:
        Dotted field → value, in the order of the space, without fields whose condition does not hold.

    Raises:
        ValueError: the number of coordinates is not that of the fields.
    """
    at = dict(zip(sorted(space), unit, strict=True))
    return active(space, {name: _value(distribution, at[name]) for name, distribution in space.items()})


def _value(distribution: Distribution, unit: float) -> Any:
    if distribution.kind == "choice":
        return distribution.values[min(int(unit * distribution.count), distribution.count - 1)]
    low, high = distribution.values
    if distribution.kind == "int":
        return min(low + int(unit * distribution.count), high)
    if distribution.kind == "uniform":
        exact = low + unit * (high - low)
    else:
        exact = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
    return rounded(distribution, exact)


def rounded(distribution: Distribution, value: float) -> float:
    """Return a value of a continuous distribution with `DIGITS` significant digits, and within its bounds.

    The last bits of exp and log differ between machines, and a training is found again by its exact values.
    """
    low, high = distribution.values
    return float(min(max(float(f"{value:.{DIGITS}g}"), low), high))
