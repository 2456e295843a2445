"""YAML file + dotted overrides → a checked configuration."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from rfmeta_dist.config.schema import Config


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides such as `training.steps=100` or `data.sources=[O,C]`.

    Raises:
        ConfigError: the file is missing or not YAML; a field is unknown, of the wrong type or out of range.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not path.is_file():
        raise ConfigError(f"configuration {path} does not exist", "see jobs/configs for ones to start from")
    try:
        tree = OmegaConf.merge(OmegaConf.load(path), OmegaConf.from_dotlist(_checked(overrides)))
        plain = OmegaConf.to_container(tree, resolve=True)
    except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(f"configuration {path}: {first}", "correct the YAML or the --set option") from error
    return check(plain, str(path))


def check(plain: Any, origin: str) -> Config:
    """A nested mapping → a checked configuration.

    Args:
        plain: what the YAML held.
        origin: what to call it in an error.

    Raises:
        ConfigError: naming the first field at fault, its value and what to do.
    """
    from pydantic import ValidationError

    from rfmeta_dist.config.schema import Config

    if not isinstance(plain, dict):
        raise ConfigError(f"configuration {origin} is not a mapping", "start from one in jobs/configs")
    try:
        return Config.model_validate(plain)
    except ValidationError as error:
        raise _explain(error, Config) from None


def dump(config: Config) -> str:
    """The configuration as YAML that `load` reads back."""
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def fields_that_differ(a: Config, b: Config) -> list[str]:
    """Dotted names of the fields in which two configurations differ."""
    left, right = _flat(a.model_dump(mode="json")), _flat(b.model_dump(mode="json"))
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _checked(overrides: Sequence[str]) -> list[str]:
    for override in overrides:
        name, equals, _ = override.partition("=")
        if not (name and equals):
            raise ConfigError(
                f"override {override!r} is not of the form field=value",
                "write --set training.steps=100",
            )
    return list(overrides)


def _explain(error: ValidationError, schema: type[BaseModel]) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "configuration"
    value = json.dumps(first["input"], default=str)
    if first["type"] == "extra_forbidden":
        return ConfigError(f"configuration field {name} is unknown", _suggest(first["loc"], schema))
    if first["type"] == "missing":
        return ConfigError(f"configuration field {name} is missing", "give it in the file or with --set")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and ";" in message:  # our own validators say the remedy themselves
        problem, remedy = message.split(";", 1)
        return ConfigError(f"{name}: {problem}", remedy.strip())
    shown = value if len(value) <= 60 else value[:57] + "..."
    return ConfigError(f"configuration field {name}={shown}: {message}", "correct it in the file or with --set")


def _suggest(location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    here: Any = schema
    for part in location[:-1]:
        here = here.model_fields[str(part)].annotation
    known = list(here.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
