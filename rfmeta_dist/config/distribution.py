"""Define the distributions of a study's search space, as a study file writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_serializer, model_validator

from rfmeta_dist.config.section import Section
from rfmeta_dist.config.words import typed

Kind = Literal["loguniform", "uniform", "int", "choice"]
KINDS: tuple[Kind, ...] = ("loguniform", "uniform", "int", "choice")
FORMS = "write {loguniform: [low, high]}, {uniform: [low, high]}, {int: [low, high]} or {choice: [a, b]}"


class Distribution(Section):
    """The values that a field may take. In a file: `{uniform: [0, 1]}`, perhaps with `when: {FIELD: VALUE}`.

    Attributes:
        kind: `loguniform` and `uniform` are continuous; `int` is uniform over whole numbers, both bounds
            included; `choice` is uniform over the values listed.
        values: low and high; or the choices, in the order of the file.
        when: the field is only set if each of these fields of the space has this value.
    """

    kind: Kind
    values: tuple[Any, ...]
    when: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, given: Any) -> Any:
        if isinstance(given, Distribution):
            return given
        kinds = [kind for kind in KINDS if kind in given] if isinstance(given, Mapping) else []
        if len(kinds) != 1 or given.keys() - {*kinds, "when"}:
            raise ValueError(f"{given!r} is not one distribution; {FORMS}")
        kind, when = kinds[0], given.get("when", {})
        if not isinstance(given[kind], list | tuple):  # pydantic adds the field's name only to a ValueError
            raise ValueError(  # noqa: TRY004
                f"{given[kind]!r} is not a list of values; {FORMS}"
            )
        if not isinstance(when, Mapping):
            raise ValueError(  # noqa: TRY004
                f"the condition {when!r} is not a mapping; write when: {{FIELD: VALUE}}"
            )
        if not given[kind]:
            raise ValueError(f"{kind} has no values; {FORMS}")
        values = given[kind] if kind == "choice" else _bounds(kind, given[kind])
        return {"kind": kind, "values": values, "when": when}

    @model_serializer
    def _to_file(self) -> dict[str, Any]:
        return {self.kind: list(self.values), **({"when": dict(self.when)} if self.when else {})}

    @property
    def continuous(self) -> bool:
        """Return True if the values are all numbers of an interval, which no grid can list."""
        return self.kind in ("loguniform", "uniform")

    @property
    def count(self) -> int:
        """Return the number of values of a distribution that is not continuous."""
        return int(self.values[1] - self.values[0] + 1) if self.kind == "int" else len(self.values)

    def contains(self, value: Any) -> bool:
        """Return True if a field may take this value."""
        if self.kind == "choice":
            return value in self.values
        return _is_number(value, whole=self.kind == "int") and bool(self.values[0] <= value <= self.values[1])


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


def _bounds(kind: Kind, given: list[Any]) -> list[Any]:
    """Return low and high as numbers.

    Raises:
        ValueError: they are not two numbers, or not in order; or a logarithm is to be taken of 0 or less.
    """
    number = int if kind == "int" else float
    bounds = [typed(value, number) for value in given]
    if len(bounds) != 2 or not all(_is_number(value, whole=kind == "int") for value in bounds):
        what = "whole numbers" if kind == "int" else "finite numbers"
        raise ValueError(
            f"{kind} has the values {given}, which are not two {what}; write {{{kind}: [low, high]}}"
        )
    low, high = bounds
    if low >= high:
        raise ValueError(
            f"low {low} is not less than high {high}; exchange them, or write one value into the base"
        )
    if kind == "loguniform" and low <= 0:
        raise ValueError(f"low {low} has no logarithm; give a low above 0, or use uniform")
    return [number(value) for value in bounds]


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return math.isfinite(value)
