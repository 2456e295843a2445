"""Turn points of the unit cube into values of a search space's fields, and those into configurations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.space import apply

__all__ = ["Distribution", "active", "apply", "point"]

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


def active(space: Mapping[str, Distribution], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those whose condition does not hold.

    A condition on a field that is itself not set does not hold, also if the base has the value it asks for.

    Args:
        space: dotted field → distribution.
        values: a value for each field of the space.
    """

    def holds(name: str) -> bool:
        return all(values[field] == wanted and holds(field) for field, wanted in space[name].when.items())

    return {name: value for name, value in values.items() if holds(name)}


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
    # The last bits of exp and log differ between machines, and a training is found again by its exact values.
    return min(max(float(f"{exact:.{DIGITS}g}"), low), high)
