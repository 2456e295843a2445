"""Check the search space of a study against the configuration's fields, and set a candidate's values.

Every bound and every choice is tried on the base configuration when the study is read, so a value that the
field refuses is reported before anything is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.fields import is_section, kind_of, read, without_none
from rfmeta_dist.config.load import explain
from rfmeta_dist.config.mistakes import did_you_mean, first
from rfmeta_dist.config.presets import preset_of, with_fields
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.searchable import reason_against
from rfmeta_dist.core.errors import ConfigError


def apply(base: Config, values: Mapping[str, Any]) -> Config:
    """Return the base configuration with the values of a candidate, after checking all fields.

    Args:
        base: the study's base.
        values: dotted field → value. For another `method.name`, fields that the method lacks are dropped, and
            its preset stands over the base, as in a comparison of methods.

    Raises:
        ConfigError: a value is not allowed, or does not fit another field; the error names the field.
    """
    try:
        return _applied(base, values)
    except ValidationError as error:
        found = explain(error, Config)
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        remedy = "narrow the study's space, or set one of its fields only when another has a certain value"
        raise ConfigError(f"the candidate {shown} is not possible: {found.problem}", remedy) from None


def _applied(base: Config, values: Mapping[str, Any]) -> Config:
    tree = base.model_dump(mode="json")
    if isinstance(rule := values.get("method.name"), str) and rule != base.method.name:
        tree["method"] = base.method.renamed(rule)
        tree = with_fields(tree, preset_of(rule))
    for name, value in values.items():
        *sections, field = name.split(".")
        here = tree
        for section in sections:
            if here.get(section) is None:  # an optional section that the base does not give
                here[section] = {}
            here = here[section]
        here[field] = value
    return Config.model_validate(tree)


def read_space(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space with the texts in it converted to the types of the fields that they are for.

    Args:
        given: dotted field → distribution as written in a file, or as a `Distribution`.

    Raises:
        ConfigError: the space is empty; or a field does not exist, or must not be searched over.
    """
    if not given:
        raise ConfigError(
            "the space of the study is empty, so there is nothing to search over",
            "add a field, such as method.depth_weight: {loguniform: [1, 100]}",
        )
    kinds = {name: _kind_of(name) for name in given}
    _require_apart(list(given))
    return {name: _typed(entry, kinds[name], kinds) for name, entry in given.items()}


def _typed(entry: Any, kind: Any, kinds: Mapping[str, Any]) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    converted = dict(entry)
    if isinstance(entry.get("choice"), list | tuple):
        converted["choice"] = [read(value, kind) for value in entry["choice"]]
    if isinstance(entry.get("when"), Mapping):
        converted["when"] = {f: read(value, kinds.get(f, str)) for f, value in entry["when"].items()}
    return converted


def read_value(name: str, value: Any) -> Any:
    """Return the value of a field with the texts in it converted to the field's type.

    Args:
        name: dotted field. The value of one that must not be searched over, or does not exist, stays as it is.
        value: the value, as written in a file.
    """
    try:
        return read(value, _kind_of(name))
    except ConfigError:
        return value


def _kind_of(name: str) -> Any:
    """Return the type of a field of the configuration.

    Raises:
        ConfigError: there is no such field; or a search over it would be wrong.
    """
    kind = kind_of(name, "space")
    section, _, field = name.partition(".")
    if reason := reason_against(section, field):
        raise ConfigError(
            f"space.{name}: a study must not search over this field, because {reason[0]}", reason[1]
        )
    if is_section(kind):
        raise ConfigError(
            f"space.{name} is a section of the configuration", f"give one of its fields, as {name}.…"
        )
    return kind


def _require_apart(names: list[str]) -> None:
    for name in names:
        for inner in names:
            if inner.startswith(f"{name}."):
                raise ConfigError(
                    f"space.{inner} is a field of {name}, which the space sets as a whole",
                    f"remove space.{inner} or space.{name}",
                )


def require_possible(base: Config, space: Mapping[str, Distribution]) -> None:
    """Try the bounds and choices of a space on a configuration.

    Args:
        base: the configuration of a fold with the base's values.
        space: dotted field → distribution.

    Raises:
        ConfigError: a condition cannot be met; or a value is not allowed, or is given twice. The error names
            the field and the value.
    """
    tree = base.model_dump(mode="json")
    for name in space:
        _require_conditions(space, name, ())
        _require_section(tree, name)
    for name, distribution in space.items():
        found: dict[str, Any] = {}
        for value in extremes(name, distribution):
            applied = _tried(base, space, name, value)
            if applied in found.values() and distribution.kind == "choice":
                raise ConfigError(f"space.{name}: the choice {value!r} is given twice", "remove one of them")
            found[repr(value)] = applied


def _require_section(base: Mapping[str, Any], name: str) -> None:
    """Refuse a field of an optional section that the base lacks: candidates would get its other fields too."""
    *sections, _ = name.split(".")
    here: Any = base
    for depth, section in enumerate(sections, 1):
        here = here.get(section)
        if here is None:
            missing = ".".join(sections[:depth])
            raise ConfigError(
                f"space.{name}: the base has no {missing}, so every candidate but the base would get the "
                "defaults of all its fields",
                f"write base.{missing} with the values that its other fields are to have",
            )


def _require_conditions(space: Mapping[str, Distribution], name: str, above: tuple[str, ...]) -> None:
    if name in above:
        loop = " → ".join((*above[above.index(name) :], name))
        raise ConfigError(
            f"space.{name}: its condition depends on itself ({loop})", "remove one of the conditions"
        )
    for field, value in space[name].when.items():
        if field not in space:
            raise ConfigError(
                f"space.{name}: its condition names {field}, which is not in the space",
                did_you_mean(field, list(space)),
            )
        if space[field].continuous:
            raise ConfigError(
                f"space.{name}: its condition {field}={value} almost never holds, because {field} is "
                "drawn from an interval",
                f"use choice or int for space.{field}",
            )
        if not space[field].contains(value):
            raise ConfigError(
                f"space.{name}: its condition {field}={value} never holds, because the space does not have "
                f"this value of {field}",
                f"use one of the values of space.{field}",
            )
        _require_conditions(space, field, (*above, name))


def extremes(name: str, distribution: Distribution) -> Iterator[Any]:
    """Yield all choices of a field's distribution; or low and high.

    Of integers also low + 1, which a field of even numbers refuses.

    Raises:
        ConfigError: the values are fractions, but the field takes whole numbers.
    """
    if distribution.kind == "choice":
        yield from distribution.values
        return
    if distribution.continuous and without_none(_kind_of(name)) is int:
        raise ConfigError(
            f"space.{name}: {distribution.kind} gives fractions, but the field takes whole numbers",
            f"write {{int: [{distribution.values[0]:.0f}, {distribution.values[1]:.0f}]}}",
        )
    low, high = distribution.values
    yield low
    if distribution.kind == "int":
        yield low + 1
    yield high


def _tried(base: Config, space: Mapping[str, Distribution], name: str, value: Any) -> Config:
    try:
        return _applied(base, {**needed(space, name), name: value})
    except ValidationError as error:
        found = first(error)
    problem = f"{found.name}: {found.message}" if found.name not in ("", name) else found.message
    role = "the choice" if space[name].kind == "choice" else "the value"
    remedy = "correct the values" if found.name == name else found.remedy or "correct the base or the space"
    if found.kind == "value" and space[name].kind != "choice":
        remedy = "give bounds that the field allows, or list its values with choice"
    raise ConfigError(f"space.{name}: {role} {value!r} is not possible: {problem}", remedy)


def needed(space: Mapping[str, Distribution], name: str) -> dict[str, Any]:
    """Return the values of other fields under which a field of the space is set: field → value."""
    found: dict[str, Any] = {}
    for field, value in space[name].when.items():
        found |= {**needed(space, field), field: value}
    return found


def size_of_grid(space: Mapping[str, Distribution]) -> int:
    """Return the number of combinations of values.

    Raises:
        ConfigError: a distribution is continuous.
    """
    for name, distribution in space.items():
        if distribution.continuous:
            raise ConfigError(
                f"space.{name}: a grid cannot list the values of {distribution.kind}",
                "list them as {choice: [a, b]}, or set search.kind=sobol",
            )
    return math.prod(distribution.count for distribution in space.values())
