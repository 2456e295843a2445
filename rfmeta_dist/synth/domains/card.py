"""Read domain cards: YAML files that each describe a generated domain, four bundled ones and the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from rfmeta_dist.config.mistakes import Location, did_you_mean, first
from rfmeta_dist.config.shipped import CARDS, shipped
from rfmeta_dist.config.words import read_words, typed
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.synth.domains.domain import BUNDLED, Domain

START = "write a complete card to start from with: rfmeta example M > card.yaml"


def read_card(path: Path) -> Domain:
    """Return the domain that a card describes.

    Raises:
        ConfigError: the file does not exist or is not YAML, or a field, which the error names, is unknown,
            missing or out of range.
    """
    if not path.is_file():
        raise ConfigError(f"card {path} does not exist", START)
    try:
        tree = read_words(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f": line {mark.line + 1}" if mark else ""
        raise ConfigError(f"card {path} is not YAML{where}", "correct the YAML syntax of the card") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"card {path} is not a mapping of fields to values", START)
    try:
        card: Domain = TypeAdapter(Domain).validate_python(typed(tree, Domain))
    except ValidationError as error:
        raise _explain(error, path) from None
    for name, value in _ranges(card):
        if value[0] > value[1]:
            raise ConfigError(
                f"card {path}: the range {name}={list(value)} begins with its higher end",
                "write it as [lowest, highest]",
            )
    return card


def join(cards: Sequence[Path]) -> Mapping[str, Domain]:
    """Return the bundled domains and those of a user's cards, by name.

    Raises:
        ConfigError: as `read_card`, or two domains have the same name.
    """
    domains = dict(DOMAINS)
    for path in cards:
        card = read_card(path)
        if card.name in domains:
            raise ConfigError(
                f"card {path}: there is a domain {card.name!r} already",
                "write another name in the field name of this card",
            )
        domains[card.name] = card
    return domains


def find_domain(name: str, domains: Mapping[str, Domain]) -> Domain:
    """Return the domain called `name`. Raises ConfigError if there is none."""
    if name not in domains:
        raise ConfigError(
            f"unknown generated domain {name!r}", f"choose from {', '.join(domains)}, or add one with --card"
        )
    return domains[name]


def folder() -> Path:
    """Return the folder of the bundled cards.

    Raises:
        InstallationError: the folder is missing.
    """
    return shipped(CARDS, *(f"{name}.yaml" for name in BUNDLED))


def _explain(error: ValidationError, path: Path) -> ConfigError:
    found = first(error)
    if found.kind == "unknown":
        return ConfigError(f"card {path}: {found.name} is unknown", _suggest(found.location))
    if found.kind == "missing":
        return ConfigError(f"card {path}: {found.name} is missing", START)
    if found.kind == "explained":
        what = f"{found.name}: {found.message}" if found.name else found.message
        return ConfigError(f"card {path}: {what}", found.remedy)
    words = PLAINLY.get(found.type, found.message)
    return ConfigError(f"card {path}: {found.name}={found.value}: {words}", "correct this field of the card")


PLAINLY = {
    "tuple_type": "is not a list",
    "dataclass_type": "is not a mapping of fields",
    "string_type": "is not a text",
    "too_long": "has too many entries",
    "missing": "has too few entries",
}


# Earlier cards gave sizes in sensor pixels. This maps a former field (its list, its name) to what replaced it.
REPLACED = {
    ("cameras", "sensor"): "give focal, pitch and distance instead",
    ("papers", "cell"): "give face, lpi and source instead",
    ("screens", "pitch"): "give face, ppi and source instead",
}


def _suggest(location: Location) -> str:
    """Return the remedy for an unknown field: what replaced it, or the field that was probably meant."""
    if replaced := REPLACED.get((str(location[0]), str(location[-1]))):
        return f"sizes are in millimetres now: {replaced}, as in the card of: rfmeta example M"
    part: Any = Domain
    for step in location[:-1]:
        part = get_args(part)[0] if isinstance(step, int) else get_type_hints(part)[step]
    return did_you_mean(str(location[-1]), [field.name for field in fields(part)])


def _ranges(part: Any, name: str = "") -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield every range [low, high] of a card, with its dotted name."""
    if isinstance(part, tuple):
        for index, item in enumerate(part):
            yield from _ranges(item, f"{name}.{index}")
    elif is_dataclass(part):
        hints = get_type_hints(type(part))
        for field in fields(part):
            value, inner = getattr(part, field.name), f"{name}.{field.name}".lstrip(".")
            if hints[field.name] == tuple[float, float]:
                yield inner, value
            else:
                yield from _ranges(value, inner)


DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {name: read_card(folder() / f"{name}.yaml") for name in BUNDLED}
)
