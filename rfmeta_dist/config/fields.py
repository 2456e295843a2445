"""Find a field of the configuration by its dotted name, and convert a value to the field's type."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel

from rfmeta_dist.config.mistakes import did_you_mean
from rfmeta_dist.config.renamed import RENAMED
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.words import typed
from rfmeta_dist.core.errors import ConfigError


def kind_of(name: str, where: str) -> Any:
    """Return the type of a field of the configuration, which may be a section.

    Args:
        name: the field's dotted name, such as `training.steps`.
        where: what errors write before the name, such as `space`.

    Raises:
        ConfigError: there is no such field. The error suggests one.
    """
    kind: Any = Config
    parts = name.split(".")
    for position, part in enumerate(parts):
        section = without_none(kind)
        known = section.model_fields if is_section(section) else {}
        if part not in known:
            before = ".".join(parts[:position])
            remedy = (
                did_you_mean(part, list(known)) if known else f"write {before}, which has no fields of its own"
            )
            if name in RENAMED:
                remedy = f"write {parts[0]}.{RENAMED[name]}, its present name"
            raise ConfigError(f"{where}.{name}: the configuration has no field {name}", remedy)
        kind = known[part].annotation
    return kind


def read(value: Any, kind: Any) -> Any:
    """Return a value with the texts in it converted to a type, as far as they fit it.

    Args:
        value: mappings, lists and texts, as `words.read_words` returns them.
        kind: from `kind_of`.
    """
    if kind is bool and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    return typed(value, kind)


def is_section(kind: Any) -> bool:
    """Return True if a type is that of a section that is always there."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def without_none(kind: Any) -> Any:
    """Return the type of an optional field without None; any other type as it is."""
    return next((option for option in get_args(kind) if option is not NoneType), kind)
