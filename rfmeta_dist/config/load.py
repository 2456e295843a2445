"""Load a configuration: read a YAML file, apply `--set` overrides, check all fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from rfmeta_dist.config.mistakes import Location, did_you_mean, first
from rfmeta_dist.config.renamed import renamed
from rfmeta_dist.config.words import read_words, typed
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from rfmeta_dist.config.schema import Config

START = "write one to start from with: rfmeta example demo > demo.yaml"


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides such as `training.steps=100` or `data.sources=[O,C]`.

    A field that holds a name keeps the text as written, such as NO, 0123 or 1e5. A field that holds a number
    accepts plain decimals (see config/words.py).

    Raises:
        ConfigError: the file is missing or not YAML; or a field is unknown, of the wrong type or out of range.
    """
    from omegaconf import OmegaConf

    if not path.is_file():
        raise ConfigError(f"configuration {path} does not exist", START)
    with _explained(
        f"configuration {path}",
        "correct the file; to compare with, this prints a complete one: rfmeta example demo",
    ):
        words = read_words(path.read_text(encoding="utf-8")) or {}
        if not isinstance(words, dict):
            raise ConfigError(f"configuration {path} is not a mapping", START)
        tree: Any = OmegaConf.create(renamed(words, str(path)))
    for override in overrides:
        with _explained(f"override {override!r}", "write field=value, a list as [O,C,I]"):
            tree = OmegaConf.merge(tree, _override(override))
    with _explained(
        f"configuration {path}",
        "correct the value in the file or in --set; a value with ${…} refers to another field",
    ):
        words = OmegaConf.to_container(tree, resolve=True)
    return check(typed(words, _schema()), str(path))


def _override(text: str) -> Any:
    """Return a tree with the one field that `text` sets.

    The value is taken as text, or parsed as YAML if it begins with a bracket, a brace or a quotation mark.
    """
    from omegaconf import OmegaConf

    name, equals, value = text.partition("=")
    if not (equals and re.fullmatch(r"\w+(\.\w+|\[\d+\])*", name)):
        raise ConfigError(f"override {text!r} is not of the form field=value", "write --set training.steps=100")
    try:
        value.encode()
    except UnicodeEncodeError:  # the bytes are of another encoding, or the locale is ASCII
        remedy = "set PYTHONUTF8=1 in the environment, or rename the file or domain that it names"
        raise ConfigError(f"override {text!r} is not text in UTF-8", remedy) from None
    tree = OmegaConf.create()
    OmegaConf.update(tree, name, read_words(value) if value.startswith(("[", "{", '"', "'")) else value)
    plain: Any = OmegaConf.to_container(tree)
    return OmegaConf.create(renamed(plain, f"--set {name}"))


def _schema() -> type[Config]:
    from rfmeta_dist.config.schema import Config

    return Config


@contextmanager
def _explained(what: str, remedy: str) -> Iterator[None]:
    """Convert an error of the parsers into a ConfigError that begins with `what`."""
    from omegaconf.errors import OmegaConfBaseException
    from yaml import MarkedYAMLError, YAMLError

    try:
        yield
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{what} is not YAML: {line}{error.problem}", remedy) from error
    except (YAMLError, OmegaConfBaseException, OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{what}: {str(error).strip().splitlines()[0]}", remedy) from error


def check(plain: Any, origin: str) -> Config:
    """Return the configuration that a nested mapping describes, after checking all fields.

    Args:
        plain: content of the YAML file.
        origin: how errors name the mapping, such as the file's path.

    Raises:
        ConfigError: a field is wrong; the error names the first such field, its value and a remedy.
    """
    from pydantic import ValidationError

    if not isinstance(plain, dict):
        raise ConfigError(f"configuration {origin} is not a mapping", START)
    try:
        return _schema().model_validate(renamed(plain, origin))
    except ValidationError as error:
        raise _explain(error, _schema()) from None


def dump(config: Config) -> str:
    """Return the configuration as YAML text, which `load_config` reads back."""
    import yaml

    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def fields_that_differ(a: Config, b: Config) -> list[str]:
    """Return the sorted dotted names of the fields in which two configurations differ."""
    left, right = _flat(a.model_dump(mode="json")), _flat(b.model_dump(mode="json"))
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


# Problem and remedy for pydantic's types of error whose own messages use terms of Python.
PLAINLY = {
    "tuple_type": (" is not a list", "write it as [O,C,I]"),
    "model_type": (" is a section, not a value", "give one of its fields, such as training.steps=100"),
    "string_pattern_mismatch": (" is not a name", "use letters, digits, - and _ only"),
}


def _explain(error: ValidationError, schema: type[BaseModel]) -> ConfigError:
    found = first(error)
    name = found.name or "configuration"
    if found.kind == "unknown":
        return ConfigError(f"configuration field {name} is unknown", _suggest(found.location, schema))
    if found.kind == "missing":
        return ConfigError(
            f"configuration field {name} is missing", f"write it into the file, or add --set {name}=…"
        )
    if found.kind == "explained":
        return ConfigError(f"{name}: {found.message}", found.remedy)
    plain = PLAINLY.get(
        found.type, (f": {found.message}", f"correct {name} in the file, or override it with --set {name}=…")
    )
    return ConfigError(f"configuration field {name}={found.value}{plain[0]}", plain[1])


def _suggest(location: Location, schema: type[BaseModel]) -> str:
    here: Any = schema
    for part in location[:-1]:
        kind = here.model_fields[str(part)].annotation
        here = next((option for option in get_args(kind) if option is not NoneType), kind)
    return did_you_mean(str(location[-1]), list(here.model_fields))
