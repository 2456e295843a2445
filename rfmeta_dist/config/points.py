"""Read and check a study's own points, the configurations that it tries first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.mistakes import did_you_mean
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.search import Search
from rfmeta_dist.config.space import apply, read_value
from rfmeta_dist.core.errors import ConfigError


def read_points(given: Any) -> list[dict[str, Any]]:
    """Return the points with the texts in them converted to the types of their fields.

    Args:
        given: a list of mappings, dotted field → value, as written in a file.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(given, list | tuple):
        raise ConfigError(
            "search.points is not a list of configurations", "write points: [{FIELD: VALUE}, {FIELD: VALUE}]"
        )
    for number, point in enumerate(given):
        if not isinstance(point, Mapping):
            raise ConfigError(
                f"search.points[{number}] is not a mapping", "write {FIELD: VALUE} with fields of the space"
            )
    return [{name: read_value(name, value) for name, value in point.items()} for point in given]


def require_points(base: Config, space: Mapping[str, Distribution], search: Search) -> None:
    """Check that the points are points of the space, that each is possible, and that none is given twice.

    Args:
        base: the configuration of a fold with the base's values.
        space: dotted field → distribution.
        search: the study's search, which holds the points.

    Raises:
        ConfigError: they are not. The error names the point, counted from 0, and its field.
    """
    needed = 1 + len(search.points)
    if search.candidates is not None and search.candidates < needed:
        raise ConfigError(
            f"search.candidates={search.candidates}, but the base and the {len(search.points)} points of "
            f"search.points are {needed} candidates already",
            f"set search.candidates to {needed} or more, or remove points",
        )
    seen = {_text(base): "the base"}
    for number, point in enumerate(search.points):
        place = f"search.points[{number}]"
        for name in point:
            _require_value(space, point, name, place)
        try:
            text = _text(apply(base, point))
        except ConfigError as error:
            raise ConfigError(f"{place}: {error.problem}", "change the point, or remove it") from None
        if text in seen:
            raise ConfigError(f"{place} is the same configuration as {seen[text]}", "remove the point")
        seen[text] = place


def _require_value(space: Mapping[str, Distribution], point: Mapping[str, Any], name: str, place: str) -> None:
    if name not in space:
        inner = next((field for field in space if field.startswith(f"{name}.")), None)
        raise ConfigError(
            f"{place}.{name}: {name} is a section"
            if inner
            else f"{place}.{name}: the space has no field {name}",
            f"write its fields with dots, as {inner}: VALUE" if inner else did_you_mean(name, list(space)),
        )
    distribution, value = space[name], point[name]
    if not distribution.contains(value):
        if distribution.kind == "choice":
            allowed = f"is none of the choices {', '.join(map(str, distribution.values))}"
        else:
            what = "a whole number" if distribution.kind == "int" else "a number"
            allowed = f"is not {what} from {distribution.values[0]} to {distribution.values[1]}"
        raise ConfigError(
            f"{place}.{name}={value} {allowed}, which space.{name} has",
            f"change the value, or let space.{name} include it",
        )
    for field, wanted in distribution.when.items():
        if field not in point or point[field] != wanted:
            has = f"sets {field}={point[field]}" if field in point else f"does not set {field}"
            raise ConfigError(
                f"{place}.{name}: the field is only set if {field}={wanted}, but the point {has}",
                f"set {field}: {wanted} in the point, or remove {name} from it",
            )


def _text(config: Config) -> str:
    return json.dumps(config.model_dump(mode="json"), sort_keys=True)
