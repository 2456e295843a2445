"""Check that the values of different fields of a search space fit each other."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.distribution import Distribution, active
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.space import apply, extremes
from rfmeta_dist.core import seeds

PROBES = 256  # combinations of values that are tried; they take 0.03 s


def require_fitting(base: Config, space: Mapping[str, Distribution]) -> None:
    """Try combinations of the bounds and choices of a space together on a configuration.

    The candidates of a search that learns are not known in advance. Without this check, values that do not fit
    each other would end such a study after hours of training.

    Args:
        base: the configuration of a fold with the base's values.
        space: dotted field → distribution.

    Raises:
        ConfigError: the values of a combination do not fit each other; the error names the field.
    """
    values = {name: list(extremes(name, distribution)) for name, distribution in space.items()}
    for probe in range(PROBES):
        chosen = {name: some[seeds.seed("fitting", name, probe) % len(some)] for name, some in values.items()}
        apply(base, active(space, chosen))
