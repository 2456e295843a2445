"""Load a configuration: read a YAML file, apply `--set` overrides, check all fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    from rfmeta_dist.config.settings import Settings

START = "write one to start from with: rfmeta example demo > demo.yaml"
COMPARE = "correct the file; to compare with, this prints a complete one: rfmeta example demo"
# For each kind of file: the remedy if there is no such file or it is not a mapping; and if it is not YAML.
REMEDIES = {
    "configuration": (START, COMPARE),
    "study": (
        "write one to start from with: rfmeta example study > study.yaml",
        "correct the file; to compare with, this prints a complete one: rfmeta example study",
    ),
    "retraining": (
        "write one to start from with: rfmeta example retrain > retrain.yaml",
        "correct the file; to compare with, this prints a complete one: rfmeta example retrain",
    ),
}


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides such as `training.steps=100` or `data.sources=[O,C]`.

    A field that holds a name keeps the text as written, such as NO, 0123 or 1e5. A field that holds a number
    accepts plain decimals (see config/words.py).

    Raises:
        ConfigError: the file is missing or not YAML; or a field is unknown, of the wrong type or out of range.
    """
    return config_of(load_settings(path, overrides))


def load_settings(path: Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a YAML file and apply overrides, for the configurations of several methods; see `load_config`.

    Raises:
        ConfigError: the file is missing or not YAML; or its section `methods` is wrong.
    """
    return _settings(read_mapping(path), str(path), overrides)


def config_of(settings: Settings) -> Config:
    """Return the configuration of a file's own method.

    Raises:
        ConfigError: a field is wrong; the error names the field, its value and a remedy.
    """
    return check(settings.tree(), settings.origin)


def parse_config(text: str, where: str, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration that is the content of a YAML file, as `load_config` does.

    Args:
        text: content of the file.
        where: the file's place; used in messages.
        overrides: texts of the form `field=value`.

    Raises:
        ConfigError: see `load_config`.
    """
    with _explained(f"configuration {where}", COMPARE):
        words = read_words(text) or {}
    if not isinstance(words, dict):
        raise ConfigError(f"configuration {where} is not a mapping", COMPARE)
    return config_of(_settings(words, where, overrides))


def _settings(words: Mapping[str, Any], where: str, overrides: Sequence[str]) -> Settings:
    from rfmeta_dist.config.settings import SECTION, Settings, own_settings

    new = renamed(words, where)
    new = overridden(new, overrides, f"configuration {where}", lambda *override: [_layer(*override)])
    methods = own_settings(new.pop(SECTION, None))
    names = [_split(override)[0].split(".", 2) for override in overrides]
    return Settings(
        typed(new, _schema()),
        where,
        [".".join(parts) for parts in names if parts[0] != SECTION],
        methods,
        frozenset((parts[1], parts[2]) for parts in names if parts[0] == SECTION and len(parts) == 3),
    )


def read_mapping(path: Path, what: str = "configuration") -> dict[str, Any]:
    """Return the mapping that a YAML file contains. All its values are mappings, lists and texts.

    Args:
        path: the file.
        what: what the file contains, one of `REMEDIES`; errors call the file by this name.

    Raises:
        ConfigError: the file is missing, not YAML, or not a mapping.
    """
    start, compare = REMEDIES[what]
    if not path.is_file():
        raise ConfigError(f"{what} {path} does not exist", start)
    with _explained(f"{what} {path}", compare):
        words = read_words(path.read_text(encoding="utf-8")) or {}
    if not isinstance(words, dict):
        raise ConfigError(f"{what} {path} is not a mapping", start)
    return words


def overridden(
    words: Mapping[str, Any],
    overrides: Sequence[str],
    what: str,
    layers: Callable[[str, Any], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Return the mapping of a file with overrides applied and references such as `${run.name}` resolved.

    Args:
        words: content of the file, from `read_mapping`.
        overrides: texts of the form `field=value`.
        what: how errors name the file.
        layers: turns a field's dotted name and its value into mappings, which are merged in turn.

    Raises:
        ConfigError: an override is not of this form, or a value refers to a field that does not exist.
    """
    from omegaconf import OmegaConf

    with _explained(what, "correct the value in the file; a value with ${…} refers to another field"):
        tree: Any = OmegaConf.create(dict(words))
    for override in overrides:
        with _explained(f"override {override!r}", "write field=value, a list as [O,C,I]"):
            tree = OmegaConf.merge(tree, *map(OmegaConf.create, layers(*_split(override))))
    with _explained(
        what, "correct the value in the file or in --set; a value with ${…} refers to another field"
    ):
        plain: Any = OmegaConf.to_container(tree, resolve=True)
    return dict(plain)


def _split(text: str) -> tuple[str, Any]:
    """Return the field's name and its value from an override.

    The value is taken as text, or parsed as YAML if it begins with a bracket, a brace or a quotation mark.
    """
    name, equals, value = text.partition("=")
    if not (equals and re.fullmatch(r"\w+(\.\w+|\[\d+\])*", name)):
        raise ConfigError(f"override {text!r} is not of the form field=value", "write --set training.steps=100")
    try:
        value.encode()
    except UnicodeEncodeError:  # the bytes are of another encoding, or the locale is ASCII
        remedy = "set PYTHONUTF8=1 in the environment, or rename the file or domain that it names"
        raise ConfigError(f"override {text!r} is not text in UTF-8", remedy) from None
    return name, read_words(value) if value.startswith(("[", "{", '"', "'")) else value


def nested(name: str, value: Any) -> dict[str, Any]:
    """Return the mapping in which one field, given by its dotted name, has a value."""
    from omegaconf import OmegaConf

    tree = OmegaConf.create()
    OmegaConf.update(tree, name, value)
    plain: Any = OmegaConf.to_container(tree)
    return dict(plain)


def _layer(name: str, value: Any) -> dict[str, Any]:
    methods, _, rest = name.partition(".")
    method, _, field = rest.partition(".")
    if methods == "methods" and field:
        return {methods: {method: {field: value}}}  # the fields of this section have dots in their names
    return renamed(nested(name, value), f"--set {name}")


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
        raise explain(error, _schema()) from None


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
    "model_type": (" is a section, not a value", "give one of its fields, such as training.steps=100"),
    "string_pattern_mismatch": (" is not a name", "use letters, digits, - and _ only"),
}


def explain(error: ValidationError, schema: type[BaseModel], what: str = "configuration") -> ConfigError:
    """Return the error to show for the first mistake that pydantic found.

    Args:
        error: what pydantic raised.
        schema: the model that was validated.
        what: what the error calls the mapping, such as `configuration`.
    """
    found = first(error)
    name = found.name or what
    if found.kind == "unknown":
        return ConfigError(f"{what} field {name} is unknown", _suggest(found.location, schema))
    if found.kind == "missing":
        return ConfigError(f"{what} field {name} is missing", f"write it into the file, or add --set {name}=…")
    if found.kind == "explained":
        return ConfigError(f"{name}: {found.message}", found.remedy)
    if found.type == "tuple_type":
        only = str(found.value).strip('"')
        return ConfigError(f"{what} field {name}={found.value} is not a list", f"write {name}=[{only}]")
    plain = PLAINLY.get(
        found.type, (f": {found.message}", f"correct {name} in the file, or override it with --set {name}=…")
    )
    return ConfigError(f"{what} field {name}={found.value}{plain[0]}", plain[1])


def _suggest(location: Location, schema: type[BaseModel]) -> str:
    here: Any = schema
    for part in location[:-1]:
        kind = here.model_fields[str(part)].annotation
        here = next((option for option in get_args(kind) if option is not NoneType), kind)
    return did_you_mean(str(location[-1]), list(here.model_fields))
