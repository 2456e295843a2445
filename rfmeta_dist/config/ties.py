"""Refuse a search space in which different values train exactly the same weights, because their scores tie."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError

ONE_PAIR = "an episode of a fold has only one meta-train domain"
AGGREGATION = ("method.aggregation", "method.aggregation_batch_norm")


def require_different_weights(fold: Config, space: Mapping[str, Distribution]) -> None:
    """Check that the values of each field of a space train different weights.

    Args:
        fold: configuration of a fold with the base's values.
        space: dotted field → distribution.

    Raises:
        ConfigError: they do not; the error names the field.
    """
    if fold.episode_domains == 2 and "episode.domains" not in space:
        _require_nothing_to_aggregate(space)
    rules = space["method.name"].values if "method.name" in space else (fold.method.name,)
    for rule in rules:
        if METHODS[rule].kind == "features":
            raise ConfigError(
                f"method {rule} is not trained in steps, so there is nothing to compare on the way; it chooses "
                "its settings itself, by cross-validation on its sources",
                f"search with another method.name, and train {rule} with rfmeta train",
            )
    for name, distribution in space.items():
        under = (distribution.when["method.name"],) if "method.name" in distribution.when else rules
        for rule in under:
            if name.removeprefix("method.") in METHODS[rule].unused:
                raise ConfigError(
                    f"space.{name}: the rule {rule} does not use this field, so all its values train the same "
                    "weights, and their scores tie exactly",
                    f"remove space.{name}, set it only under another rule (when: {{method.name: …}}), or "
                    "search with another method.name",
                )


def _require_nothing_to_aggregate(space: Mapping[str, Distribution]) -> None:
    for name in AGGREGATION:
        if name in space:
            raise ConfigError(
                f"space.{name}: {ONE_PAIR}, so all values of this field train the same weights, and their "
                "scores tie exactly",
                f"remove space.{name}",
            )
    rules = space["method.name"].values if "method.name" in space else ()
    for rule in rules:
        if (equal := METHODS[rule].equal_on_one_pair) in rules:
            raise ConfigError(
                f"space.method.name: {ONE_PAIR}, so {equal} and {rule} train the same weights, and their "
                "scores tie exactly",
                f"remove {rule} from space.method.name",
            )
